"""Assembles, starts and stops the drive, inside Orthanc (`plugin`) and beside it (`standalone`)."""
