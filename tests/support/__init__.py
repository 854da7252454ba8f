"""Fixtures and fakes for tests and benchmarks: DICOM instances, C-STORE, a thin WebDAV client, servers."""
