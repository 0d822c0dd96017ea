"""The service for other programs: photos, videos and a live stream over HTTP and WebSocket, as Starlette routes.

The routes run inside the app (FER_API=1) or alone (`fer serve`). request → guard (access) → a bounded queue →
the recognizer → the same rows as `fer photo --json`. No part of a request is written to disk.
"""
