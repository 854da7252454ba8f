"""Door 2: a complete WebDAV server on a port of its own, made of WsgiDAV on cheroot. WsgiDAV is imported here only.

- `server`: listens, and hands requests to the application.
- `application`: the stack of middlewares, and WsgiDAV at its end.
- `context`: what all of them work with.
- `provider`, `resources`: the drive as WsgiDAV wants to see it.
- `uploads`: the bodies of PUT requests on their way into the drive.
- `refusals`: which error has which status.
"""
