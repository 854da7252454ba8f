"""Lines of the audit file have the form that docs/audit.schema.json and docs/audit.md describe."""

import json
import re
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from davfs.audit.json_lines import encode_line
from davfs.audit.record import NOBODY, AuditAction, AuditRecord, Client, Door, Outcome, lost_records

DOCS = Path(__file__).parents[2] / "docs"
SCHEMA: dict[str, Any] = json.loads((DOCS / "audit.schema.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA | {"additionalProperties": False})
FULL = AuditRecord(
    client=Client("alice", "10.0.0.7", Door.DRIVE, "webdav", "davfs2/1.6"),
    action=AuditAction.READ,
    level="study",
    resource="resource-id",
    study_instance_uid="1.2.3",
    patient="patient-id",
    sop_instances=7,
    bytes=100,
    size=200,
    outcome=Outcome.PARTIAL,
    reason="ConnectionError",
    keywords=("PatientName",),
    hits=2,
    requests=3,
    lost=1,
)


def line(record: AuditRecord) -> dict[str, Any]:
    """Return a record's line, once it is valid."""
    found: dict[str, Any] = json.loads(encode_line(record))
    VALIDATOR.validate(found)
    return found


def test_all_lines_are_valid() -> None:
    """Records with everything, with nothing, of each action and outcome have the form of the schema."""
    for action, outcome in product(AuditAction, Outcome):
        line(replace(FULL, action=action, outcome=outcome))
        line(AuditRecord(client=NOBODY, action=action, outcome=outcome))
    line(lost_records(3))


def test_schema_is_documented() -> None:
    """A record with everything has each field of the schema, and docs/audit.md has a row for each."""
    assert line(FULL).keys() == SCHEMA["properties"].keys()
    rows = re.findall(r"^\| (`.+?`) \|", (DOCS / "audit.md").read_text().partition("## Actions")[0], re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", " ".join(rows))) == SCHEMA["properties"].keys()
    assert set(SCHEMA["properties"]["action"]["enum"]) == {action.value for action in AuditAction}
    assert set(SCHEMA["properties"]["outcome"]["enum"]) == {outcome.value for outcome in Outcome}


@given(st.text(), st.text())
def test_any_text(user: str, agent: str) -> None:
    """Whatever a client calls itself is in its record, on one line of ASCII, with bounded length."""
    encoded = encode_line(replace(FULL, client=Client(user, "::1", Door.SERVE, "webdav", agent).shortened()))
    assert encoded.isascii()
    assert encoded.count(b"\n") == 1
    assert json.loads(encoded)["user"] == user[:256]
