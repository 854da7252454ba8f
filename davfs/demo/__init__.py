"""A real Orthanc on this machine: what ``make run`` shows, and what the tests and the benchmark measure."""
