"""A real rsyslog receives the audit trail by UDP, TCP and TLS, in both forms."""

import base64
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from davfs.audit.record import AuditAction, AuditRecord, Client, Door
from davfs.audit.syslog_message import MessageFormat
from davfs.audit.trail import AuditTrail
from davfs.running.auditing import audit_sinks, open_trail
from davfs.settings.configuration import AuditSettings, SyslogSettings
from tests.orthanc.conftest import RunOrthanc
from tests.support import dicom
from tests.support.audit_messages import check
from tests.support.drive import connected, import_by_rest, place
from tests.support.rsyslog import Rsyslog

SCHEMES = ["udp", "tcp", "tls"]
HOSTILE = 'a"b\n<85>1 - - - - - - forged\r\x00\u2028\U0001f600</AuditMessage>'
CLIENT = Client(HOSTILE, "10.0.0.7", Door.DRIVE, "webdav", HOSTILE)


@pytest.fixture
def rsyslog(tmp_path: Path) -> Iterator[Rsyslog]:
    """An rsyslog."""
    with Rsyslog(tmp_path) as server:
        yield server


@contextmanager
def trail(server: Rsyslog, scheme: str, form: MessageFormat, **options: Any) -> Iterator[AuditTrail]:
    """An audit trail that reports to a server."""
    authority = server.certificate if scheme == "tls" else None
    syslog = SyslogSettings(server.urls[scheme], form, authority, **options)
    settings = AuditSettings(
        enabled=True, file=server.certificate.with_name("audit.jsonl"), listings=True, syslog=syslog
    )
    opened = open_trail(settings, audit_sinks(settings), lambda record: record)
    try:
        yield opened
    finally:
        opened.stop(5.0)


def record_all(opened: AuditTrail) -> int:
    """Record each action; return the number of messages, with those of start and stop."""
    for action in AuditAction:
        opened.record(AuditRecord(client=CLIENT, action=action, level="study", resource="id", study_instance_uid="1.2"))
    return len(AuditAction) + 2


@pytest.mark.parametrize("scheme", SCHEMES)
def test_dicom_messages(rsyslog: Rsyslog, scheme: str) -> None:
    """DICOM audit messages of all actions arrive, each valid, with the header that the standard demands."""
    with trail(rsyslog, scheme, MessageFormat.DICOM) as opened:
        count = record_all(opened)
    received = rsyslog.received(count)
    assert len(received) == count
    for each in received:
        assert each["priority"] in {"85", "84"}
        assert (each["version"], each["application"], each["id"], each["data"]) == ("1", "davfs", "DICOM+RFC3881", "-")
        root = check(each["message"].encode())
        assert root.xpath("AuditSourceIdentification/@AuditSourceID") == [each["host"]]
        (time,) = root.xpath("EventIdentification/@EventDateTime")
        assert datetime.fromisoformat(time) == datetime.fromisoformat(each["time"])


@pytest.mark.parametrize("scheme", SCHEMES)
def test_json_messages(rsyslog: Rsyslog, scheme: str) -> None:
    """The lines of the audit file arrive as they are, whatever clients call themselves."""
    with trail(rsyslog, scheme, MessageFormat.JSON) as opened:
        count = record_all(opened)
    received = rsyslog.received(count)
    assert {each["id"] for each in received} == {"audit"}
    lines = rsyslog.certificate.with_name("audit.jsonl").read_text().splitlines()
    assert [each["message"] for each in received] == lines
    assert sum(json.loads(line)["user"] == HOSTILE for line in lines) == len(AuditAction)


@pytest.mark.parametrize("driver", ["gtls", "ossl"])
def test_client_certificate(tmp_path: Path, driver: str) -> None:
    """A server that asks for a certificate gets the drive's."""
    with Rsyslog(tmp_path, driver=driver, asks=True) as server:
        with trail(server, "tls", MessageFormat.DICOM, certificate=server.certificate, key=server.key) as opened:
            count = record_all(opened)
        assert len(server.received(count)) == count


def test_foreign_certificate(rsyslog: Rsyslog, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is sent to a server whose certificate is of another authority, and the log says so."""
    other = tmp_path / "other"
    other.mkdir()
    with Rsyslog(other) as trusted:
        rsyslog.certificate = trusted.certificate
        with trail(rsyslog, "tls", MessageFormat.JSON) as opened:
            opened.record(AuditRecord(client=CLIENT, action=AuditAction.READ))
    assert not (tmp_path / "received").exists()
    assert "certificate verify failed" in caplog.text
    assert "records of the audit trail were not sent" in caplog.text


@pytest.mark.parametrize("scheme", ["tcp", "tls"])
def test_server_starts_again(rsyslog: Rsyslog, scheme: str) -> None:
    """What is recorded while the server is down arrives once it runs again, in order."""
    with trail(rsyslog, scheme, MessageFormat.JSON) as opened:
        opened.record(AuditRecord(client=CLIENT, action=AuditAction.READ, resource="first"))
        rsyslog.received(2)
        rsyslog.stop()
        for number in range(100):
            opened.record(AuditRecord(client=CLIENT, action=AuditAction.READ, resource=str(number)))
        rsyslog.start()
        received = rsyslog.received(102)
    resources = [json.loads(each["message"]).get("resource") for each in received]
    assert resources == [None, "first", *map(str, range(100))]


def decoded(message: str) -> str:
    """Return a message with what is in base64 in it."""
    values = re.findall(r'value="([^"]*)"', message)
    return message + "".join(base64.b64decode(value).decode() for value in values)


def test_from_orthanc(rsyslog: Rsyslog, run_orthanc: RunOrthanc) -> None:
    """The plugin in Orthanc reports by TLS what is done, from its start to its stop, and names no patient."""
    settings = {
        "Syslog": rsyslog.urls["tls"],
        "SyslogCA": str(rsyslog.certificate),
        "Format": "dicom",
        "Listings": True,
    }
    image = dicom.instance("AUDITED")
    with (
        run_orthanc(stops=True, davfs={"Audit": settings, "AllowDelete": True}) as orthanc,
        connected(orthanc) as server,
    ):
        import_by_rest(server.rest, image)
        assert server.drive.get(place("AUDITED")).content == image
        server.drive.listing("search/PatientName=Doe")
        server.drive.put("inbox/Doe.dcm", dicom.instance("SECOND"))
        server.drive.get("by-patient/Doe")
        server.drive.request("DELETE", place("AUDITED"))
        rsyslog.received(4)
    received = rsyslog.received(8)
    events = [check(each["message"].encode()).xpath("string(//EventID/@originalText)") for each in received]
    assert {*events} == {
        "Application Activity",
        "DICOM Instances Transferred",
        "DICOM Instances Accessed",
        "Query",
        "Import",
    }
    assert (events[0], events[-1]) == ("Application Activity", "Application Activity")
    content = "".join(decoded(each["message"]) for each in received)
    assert dicom.ids(image).patient in content
    assert not [word for word in ("Doe", "AUDITED", "SECOND", "by-patient") if word in content]
