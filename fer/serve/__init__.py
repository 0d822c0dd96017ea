"""For other programs: photos, videos and a live stream over HTTP and WebSocket, as one set of Starlette routes.

The routes run inside the app (FER_API=1) or by themselves (`fer serve`). request → guard (who may) → a bounded queue →
the recognizer → the rows that `fer photo --json` prints. Nothing of a request is written to disk.
"""
