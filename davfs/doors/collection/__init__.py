"""The first door: the drive as a WebDAV collection of Orthanc's own HTTP server."""
