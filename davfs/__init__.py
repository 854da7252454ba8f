"""Orthanc as a network drive: a WebDAV virtual filesystem over a DICOM archive."""

from importlib.metadata import version

__version__ = version("orthanc-davfs")
