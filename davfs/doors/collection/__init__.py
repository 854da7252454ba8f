"""The first door: a WebDAV collection of Orthanc's own HTTP server."""
