"""DICOM audit messages: each action makes a message that the standard's rules accept, without names of patients."""

import base64
import re
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davfs.audit.dicom_events import AuditSource, audit_message
from davfs.audit.record import NOBODY, AuditAction, AuditRecord, Client, Door, Outcome, lost_records
from tests.support.audit_messages import RULES, check, one

SOURCE = AuditSource("archive", "4711")
ALICE = Client("alice", "10.0.0.7", Door.DRIVE, "webdav", "davfs2/1.6")
TABLE = (Path(__file__).parents[2] / "docs" / "audit.md").read_text()


def sent(record: AuditRecord) -> bytes:
    """Return the message of a record."""
    return audit_message(record, SOURCE).xml().encode("ascii")


def known(action: AuditAction, level: str = "instance", **others: Any) -> AuditRecord:
    """A record of a resource that was looked up."""
    record = AuditRecord(
        client=ALICE,
        action=action,
        level=level,
        resource="resource-id",
        study_instance_uid="1.2.3",
        patient="patient-id",
        sop_instances=7,
    )
    return replace(record, **others)


CLIENTS = (ALICE, NOBODY, Client(user="bob"), Client(address="::1", agent="AE", protocol="dicom"))


@pytest.mark.parametrize("action", AuditAction)
def test_every_action(action: AuditAction) -> None:
    """Each action makes a valid message, whatever is known of the client and the resource."""
    for outcome, level, client in product(Outcome, ("patient", "study", "series", "instance"), CLIENTS):
        check(sent(known(action, level, outcome=outcome, client=client)))
        check(sent(AuditRecord(client=client, action=action, outcome=outcome, reason="Refused")))


@pytest.mark.parametrize(
    ("record", "event", "action"),
    [
        (known(AuditAction.READ), "DICOM Instances Transferred", "R"),
        (known(AuditAction.READ, "study", sop_instances=0), "DICOM Instances Accessed", "R"),
        (known(AuditAction.LIST, "study"), "Query", "E"),
        (known(AuditAction.SEARCH), "Query", "E"),
        (known(AuditAction.UPLOAD), "Import", "C"),
        (known(AuditAction.ATTACH), "Import", "C"),
        (known(AuditAction.DELETE, "study"), "DICOM Study Deleted", "D"),
        (known(AuditAction.DELETE, "patient"), "DICOM Study Deleted", "D"),
        (known(AuditAction.DELETE, "series"), "DICOM Instances Accessed", "D"),
        (known(AuditAction.PURGE, "study"), "DICOM Study Deleted", "D"),
        (known(AuditAction.PURGE, "instance"), "DICOM Instances Accessed", "D"),
        (known(AuditAction.RESTORE, "study"), "DICOM Instances Accessed", "U"),
        (known(AuditAction.MOVE), "DICOM Instances Accessed", "U"),
        (known(AuditAction.COPY), "DICOM Instances Accessed", "R"),
        (known(AuditAction.LOGIN), "User Authentication", "E"),
        (known(AuditAction.LOGIN_REFUSED), "User Authentication", "E"),
        (known(AuditAction.ARRIVAL, "series"), "DICOM Instances Transferred", "C"),
        (known(AuditAction.QUARANTINE), "DICOM Instances Transferred", "C"),
        (known(AuditAction.RELOAD), "Security Alert", "E"),
        (known(AuditAction.START), "Application Activity", "E"),
        (known(AuditAction.STOP), "Application Activity", "E"),
        (known(AuditAction.ALERT), "Security Alert", "E"),
    ],
)
def test_which_message(record: AuditRecord, event: str, action: str) -> None:
    """Each action has the message that docs/audit.md says."""
    root = check(sent(record))
    assert one(root, "EventIdentification/EventID/@originalText") == event
    assert one(root, "EventIdentification/@EventActionCode") == action
    rows = re.findall(rf"^\| `{record.action.value}`.*\| (.+?) \((.)\) \|", TABLE, re.MULTILINE)
    assert (event, action) in rows


def test_table_has_each_action() -> None:
    """docs/audit.md has each action, and no other."""
    rows = re.findall(r"^\| `([a-z-]+)`.*\| .+? \([CRUDE]\) \|", TABLE, re.MULTILINE)
    assert set(rows) == {action.value for action in AuditAction}
    assert {one(check(sent(known(action))), "//EventID/@csd-code") for action in AuditAction} <= RULES.keys()


def test_who_and_what() -> None:
    """A message names the client, the study and the number of instances; of the patient, Orthanc's identifier alone."""
    root = check(sent(known(AuditAction.READ, "study", outcome=Outcome.PARTIAL, bytes=1024)))
    client = "ActiveParticipant[@UserIsRequestor='true']"
    assert one(root, f"{client}/@UserID") == "alice"
    assert one(root, f"{client}/@NetworkAccessPointID") == "10.0.0.7"
    assert one(root, "//SOPClass/@NumberOfInstances") == "7"
    assert root.xpath("//ParticipantObjectIdentification/@ParticipantObjectID") == ["1.2.3", "patient-id"]
    assert [each.text for each in root.iter("ParticipantObjectName")] == ["resource-id", "omitted"]
    assert one(root, "//EventOutcomeDescription/text()") == "partial"
    details = {
        each.get("type"): base64.b64decode(each.get("value", "")) for each in root.iter("ParticipantObjectDetail")
    }
    assert details["agent"] == b"davfs2/1.6"
    assert details["bytes"] == b"1024"


def test_several_studies() -> None:
    """An import of several studies names each of them and each patient."""
    root = check(sent(known(AuditAction.UPLOAD, "study", study_instance_uid="1.2,1.3,1.4", patient="one,two")))
    assert root.xpath("//ParticipantObjectIdentification/@ParticipantObjectID") == ["1.2", "1.3", "1.4", "one", "two"]
    assert one(root, "//SOPClass/@NumberOfInstances") == "7"


def test_what_was_lost() -> None:
    """A security alert tells how many records were lost."""
    root = check(sent(lost_records(12)))
    assert base64.b64decode(one(root, "//ParticipantObjectDetail/@value")) == b"12 records of the audit trail were lost"


def test_remote_application_entity() -> None:
    """The remote AE title of an arrival is the sender's alternative identifier."""
    client = Client(address="10.0.0.9", protocol="dicom", agent="MODALITY1")
    root = check(sent(known(AuditAction.ARRIVAL, client=client)))
    assert one(root, "ActiveParticipant[@UserIsRequestor='true']/@AlternativeUserID") == "AETITLES=MODALITY1"


@given(st.text(max_size=300), st.text(max_size=300))
def test_any_text(user: str, agent: str) -> None:
    """Whatever a client calls itself, the message is valid, and short enough for every server."""
    client = Client(user, "::1", Door.SERVE, "webdav", agent).shortened()
    for action in AuditAction:
        message = sent(known(action, client=client))
        check(message)
        assert len(message) < 8000
