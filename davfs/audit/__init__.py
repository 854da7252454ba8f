"""The audit trail: who did what to which resource, from where and when. Names of patients and paths stay out of it.

- `record` has one access as a value; `trail` takes records from all threads and passes them to its sinks.
- `merging` makes one record of a file that is read in many ranges.
- `audit_file` is the sink that writes a file, whose lines `json_lines` makes; `rotation` names the older files.
- `syslog` is the sink that sends to a server, over a `syslog_connection`; `syslog_message` makes the messages.
- `dicom_events` makes a `dicom_message` of a record, with the codes in `dicom_codes`.
- `backlog` is what waits for a sink; `reading` reads the files again.
"""
