"""Files that the drive makes itself, from what Orthanc has."""
