"""The ways into the drive: `collection` inside Orthanc's own HTTP server."""
