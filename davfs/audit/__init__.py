"""The audit trail: who did what to which resource, from where and when. Names of patients and paths stay out of it.

- `record` has one access as a value; `trail` takes records from all threads and passes them to its sinks.
- `merging` makes one record of a file that is read in many ranges.
- `json_lines` is the form of a record in a file, `audit_file` the file.
"""
