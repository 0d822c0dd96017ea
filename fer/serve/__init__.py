"""For other programs: photos, videos and a live stream over HTTP and WebSocket, as one set of Starlette routes.

The routes run inside the app (FER_API=1) or alone (`fer serve`). request → guard (access) → a bounded queue →
the recognizer → the rows that `fer photo --json` prints. No part of a request is written to disk.
"""
