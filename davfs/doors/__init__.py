"""The servers of the drive: `collection` at Orthanc's own port, `webdav` at a port of its own."""
