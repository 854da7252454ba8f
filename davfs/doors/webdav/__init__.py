"""Door 2: a complete WebDAV server on a port of its own, made of WsgiDAV on cheroot. WsgiDAV is imported here only.

`wire` reads a request from its connection. `application` sends it through the middlewares: `error_responses`, `login`,
`cross_site` (with `host_names`), `reload`, `body_buffer` (with `request_xml`), `propfind` and `download` (nearly all
traffic), `folder_page` (folders in a browser), and `methods`, which extends WsgiDAV. The other modules:

- `provider`: finds resources and their locks; `resources`: resources in WsgiDAV's interface
- `conditions`, `request_headers`, `path_locks`: checks before something is changed; `upload_body`: the body of a PUT
- `lock_storage`, `shared_lock_storage`: WebDAV locks
- `multistatus`, `range_header`, `validators`, `responses`: parts of responses; `http_errors`: the status of each error
- `context`: types and services that all of them share; `paths`: request paths; `health`: health checks
"""

from davfs.doors.webdav import without_lxml as without_lxml  # before any other module imports WsgiDAV
