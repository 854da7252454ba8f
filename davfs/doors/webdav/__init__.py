"""Door 2: a complete WebDAV server on a port of its own, made of WsgiDAV on cheroot. WsgiDAV is imported here only.

A request comes in by `wire`, and goes through the stack that `application` puts together: `failures`, `login`,
`cross_site` (what the page of another site wants; `host_names`), `reload`, `messages` (bodies, and the XML in them by
`request_xml`), `propfind` and `download` (the two that make up nearly all traffic), `page` (folders in a browser), and
`methods`, which is WsgiDAV's own. There

- `provider` and `resources` are the drive as WsgiDAV wants to see it,
- `conditions`, `headers`, `turns` decide whether and when something may be changed,
- `locks`, `properties` keep what clients leave at files and folders,
- `uploads`, `contents` are bodies on their way in and out,
- `multistatus`, `ranges`, `validators` are parts of answers; `refusals` has the status of each error.

`context` is what all of them work with, `paths` how a request's path becomes one of the drive, `health` what answers
whoever watches the server.
"""

from davfs.doors.webdav import without_lxml as without_lxml  # before any other module imports WsgiDAV
