"""The audit trail: who did what to which resource, from where and when. Names of patients and paths stay out of it.

- `record` has one access as a value; `trail` takes records from all threads and passes them to its sinks.
- `merging` makes one record of a file that is read in many ranges.
- `json_lines` is the form of a record in a file, `audit_file` the file.
"""

import logging

_log = logging.getLogger("davfs.audit")


def audit(user: str, action: str, resource: str, result: str) -> None:
    """Write a line to the audit log.

    Args:
        user: User name; anybody may claim any name, so characters that could forge a line are replaced.
        action: Such as ``read``.
        resource: Orthanc's id of the resource; empty for none.
        result: ``done``, or the name of the error.
    """
    shown = "".join(character if character.isprintable() and character != '"' else "?" for character in user)
    _log.info('audit user="%s" action=%s resource=%s result=%s', shown, action, resource or "-", result)
