"""What the tests, the benchmark and nobody else need: DICOM instances, C-STORE, and a thin WebDAV client."""
