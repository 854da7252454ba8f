"""An audit trail that keeps its records, and the records of an audit file."""

import json
from pathlib import Path
from typing import Any

from davfs.audit.record import AuditAction, AuditRecord
from davfs.audit.trail import AuditTrail


class KeptTrail(AuditTrail):
    """A trail without a thread.

    Args:
        unwanted: Actions of which nothing is recorded.

    Attributes:
        records: The records so far.
    """

    def __init__(self, *unwanted: AuditAction) -> None:
        super().__init__((), unwanted)
        self.records: list[AuditRecord] = []

    def wants(self, action: AuditAction) -> bool:
        """See `AuditTrail`."""
        return action not in self._unwanted

    def record(self, record: AuditRecord) -> None:
        """Keep a record."""
        self.records.append(record)

    def shown(self, agent: str = "") -> list[tuple[str, str, str]]:
        """Return action, resource, and outcome with the reason, of all records of a user agent."""
        found = (each for each in self.records if agent in each.client.agent)
        return [(each.action, each.resource, f"{each.outcome} {each.reason}".rstrip()) for each in found]


def audit_records(file: Path) -> list[dict[str, Any]]:
    """Return the records of an audit file."""
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
