"""Calls between C and Python: the only package that imports cffi's module ``_davfs_sdk``, which exists inside Orthanc.

`davfs.sdk.callbacks` is called by Orthanc, and describes the round trip of a request. `davfs.sdk.core` calls Orthanc.
"""
