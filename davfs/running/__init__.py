"""Puts the drive together, starts it, and ends it: inside Orthanc, and beside it."""
