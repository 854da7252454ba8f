"""Each action of a client, at each door, is one record of the audit trail; docs/audit.md shows them in a table."""

import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import httpx
import pytest
from jsonschema import Draft202012Validator

from davfs.demo.ports import LOOPBACK, free_ports
from davfs.demo.process import OrthancProcess
from tests.support import dicom
from tests.support.audit import audit_records
from tests.support.doors import COLLECTION, COMPLETE, DOORS, SERVER, STANDALONE
from tests.support.drive import import_by_rest, place, place_of
from tests.support.orthanc_server import OrthancServer
from tests.support.serving import ServeProcess
from tests.support.webdav import WebDav
from tests.support.zips import zipped

ROOT = Path(__file__).parent.parent.parent
USERS = {"alice": "secret", "reader": "read", "drive": "drive"}
FILTER = """
function IncomingHttpRequestFilter(method, uri, ip, username, headers)
  return username ~= 'reader' or method == 'GET' or uri == '/tools/find'
end
"""
FILES = """
title = "files"
[[level]]
study = "{PatientID}"
files = ["study.zip", "study.json"]
[[level]]
instance = "{InstanceNumber:05d}.dcm"
"""
ANONYMISED = """
title = "anonymised"
anonymised = true
[[level]]
study = "{StudyInstanceUID:hash}"
[[level]]
instance = "{InstanceNumber:05d} {SOPInstanceUID:hash}.dcm"
"""
HASH_KEY = "0123456789abcdef0123456789abcdef"
NAMES = {COLLECTION: "orthanc", SERVER: "drive", STANDALONE: "serve"}
"""The doors, as the audit trail names them."""
ARCHIVE_OF = 30


@dataclass(frozen=True, slots=True)
class Visit:
    """What one action works with: a client whose user agent names the action, and a study of its own.

    Attributes:
        door: The door.
        patient: PatientID of the study, and prefix of the names of files.
        url: The drive's address.
        drive: A client of the user ``alice``.
        first: The first image of the study.
        second: An image that is not in Orthanc.
    """

    door: str
    patient: str
    url: str
    drive: WebDav
    first: bytes = field(repr=False)
    second: bytes = field(repr=False)

    @property
    def study(self) -> str:
        """StudyInstanceUID."""
        return dicom.uid(self.patient, 1)

    @property
    def image(self) -> str:
        """Path of the first image."""
        return place(self.patient)


def ok(answer: httpx.Response, *allowed: int) -> None:
    """Check the status of a response."""
    assert answer.is_success if not allowed else answer.status_code in allowed, (answer.status_code, answer.text)


def in_ranges(visit: Visit) -> None:
    """Read a file in three ranges."""
    third = len(visit.first) // 3
    for part in (f"0-{third - 1}", f"{third}-{2 * third - 1}", f"{2 * third}-"):
        ok(visit.drive.request("GET", visit.image, headers={"Range": f"bytes={part}"}), 206)


def break_off(visit: Visit) -> None:
    """Begin to read an archive, and go away."""
    with visit.drive.http.stream("GET", visit.drive.href(f"files/large-{visit.door}/study.zip")) as answer:
        ok(answer)
        next(answer.iter_raw(1000))  # the connection is closed with the answer


def get_listed(visit: Visit) -> None:
    """Read a file whose folder was listed, which Orthanc's own port answers without Python."""
    visit.drive.listing(visit.image.rpartition("/")[0])
    ok(visit.drive.get(visit.image))


def get_nothing(visit: Visit) -> None:
    """Try to read three files that do not exist."""
    for number in range(3):
        ok(visit.drive.get(f"by-patient/{visit.patient}-{number}"), 404)


def get_unchanged(visit: Visit) -> None:
    """Read a file under the condition that it has changed."""
    tag = visit.drive.head(visit.image).headers["etag"]
    ok(visit.drive.request("GET", visit.image, headers={"If-None-Match": tag}), 304)


def other_methods(visit: Visit) -> None:
    """Send requests that concern no resource of Orthanc's."""
    visit.drive.options()
    visit.drive.mkcol(f"inbox/{visit.patient}")


def break_upload(visit: Visit) -> None:
    """Begin an upload, and go away."""

    def body() -> Iterator[bytes]:
        yield b"x" * 3_000_000
        raise ConnectionError

    with suppress(ConnectionError):
        headers = {"Content-Length": "9000000"}
        visit.drive.request("PUT", f"inbox/{visit.patient}.bin", content=body(), headers=headers)


def put_hidden_and_rename(visit: Visit) -> None:
    """Upload under a name that desktops use for their own files, which is not imported, and rename it."""
    with WebDav(visit.url, auth=("alice", "secret")) as other:
        ok(other.put(f"inbox/._{visit.patient}", visit.second))
    move(visit, "MOVE", f"inbox/._{visit.patient}", f"inbox/{visit.patient}.dcm")


def move(visit: Visit, method: str, source: str, target: str) -> None:
    """Send COPY or MOVE."""
    destination = f"{visit.url.rstrip('/')}/{target}"
    ok(visit.drive.request(method, source, headers={"Destination": destination}))


def uploaded(visit: Visit) -> str:
    """Upload an image as another client, and return its path."""
    with WebDav(visit.url, auth=("alice", "secret")) as other:
        ok(other.put(f"inbox/{visit.patient}.dcm", visit.second))
    return f"inbox/{visit.patient}.dcm"


def deleted(visit: Visit) -> str:
    """Delete the study as another client, and return the path of its folder in the trash."""
    with WebDav(visit.url, auth=("alice", "secret")) as other:
        before = other.listing("trash").keys()
        ok(other.delete(place_of(visit.image, "patients")))
        (entry,) = other.listing("trash").keys() - before
        (top,) = (name for name, each in other.listing(f"trash/{entry}").items() if each.is_folder)
        return f"trash/{entry}/{top}"


def entry_of(visit: Visit) -> str:
    """Delete the study as another client, and return the number of its entry in the trash."""
    before = visit.drive.http.get(f"{visit.url}davfs-api/trash").json()
    deleted(visit)
    after = visit.drive.http.get(f"{visit.url}davfs-api/trash").json()
    ((number,),) = ([each["id"] for each in after if each not in before],)
    return str(number)


def as_user(visit: Visit, user: str, password: str) -> WebDav:
    """Return a client of another user."""
    client = WebDav(visit.url, auth=(user, password))
    client.http.headers["User-Agent"] = visit.drive.http.headers["User-Agent"]
    return client


def as_reader(visit: Visit, method: str, path: str) -> None:
    """Try to change something as a user who may not."""
    with as_user(visit, "reader", "read") as drive:
        ok(drive.request(method, path, content=visit.second if method == "PUT" else None), 403)


def guess(visit: Visit) -> None:
    """Try three wrong passwords."""
    with as_user(visit, "mallory", "guess") as drive:
        for _ in range(3):
            ok(drive.request("PROPFIND", headers={"Depth": "0"}), 401)


def get_anonymised(visit: Visit) -> None:
    """Read an image that is de-identified on its way."""
    before = visit.drive.listing("anonymised").keys()
    with WebDav(visit.url, auth=("alice", "secret")) as other:
        ok(other.put(f"inbox/{visit.patient}-anonymised.dcm", dicom.instance(f"{visit.patient}-anonymised")))
    (study,) = visit.drive.listing("anonymised").keys() - before
    (image,) = visit.drive.listing(f"anonymised/{study}")
    ok(visit.drive.get(f"anonymised/{study}/{image}"))


def reload_layouts(visit: Visit) -> None:
    """Have the layout files read again."""
    ok(visit.drive.http.post(f"{visit.url}davfs-api/reload"))


def search(visit: Visit) -> None:
    """Open a search twice."""
    for _ in range(2):
        assert len(visit.drive.listing(f"search/PatientID={visit.patient},Modality=CT")) == 1


Expected = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Case:
    """One action, and the record that is expected of it.

    Attributes:
        title: As the table names it.
        act: Does it.
        expected: Fields of the record, or functions of the visit; None if there must be no record.
        doors: Where clients can do it.
        others: Fields that are different at a door.
    """

    title: str
    act: Callable[[Visit], object]
    expected: Expected | None
    doors: tuple[str, ...] = DOORS
    others: Mapping[str, Expected | None] = field(default_factory=dict)


def of_first(visit: Visit) -> str:
    """Return Orthanc's id of the first image."""
    return dicom.ids(visit.first).instance


def of_second(visit: Visit) -> str:
    """Return Orthanc's id of the second image."""
    return dicom.ids(visit.second).instance


def of_study(visit: Visit) -> str:
    """Return Orthanc's id of the study."""
    return dicom.ids(visit.first).study


IMAGE = {"level": "instance", "resource": of_first, "study_instance_uid": lambda visit: visit.study, "sop_instances": 1}
UPLOADED = IMAGE | {"resource": of_second}
STUDY = {"level": "study", "resource": of_study, "study_instance_uid": lambda visit: visit.study}
NOTHING = {"resource": None, "study_instance_uid": None}
WHOLE = {"bytes": lambda visit: len(visit.first)}
DONE, REFUSED, FAILED, PARTIAL = ({"outcome": each} for each in ("done", "refused", "failed", "partial"))
ZIP = "two images and a text in a ZIP"


def images_in_zip(visit: Visit, *, damaged: bool) -> bytes:
    """Return a ZIP with images of a new study."""
    images = {f"{number}.dcm": dicom.instance(visit.patient, number=10 + number) for number in range(2)}
    return zipped(images | ({"damaged.dcm": visit.second[:200]} if damaged else {"note.txt": b"note"}))


CASES = [
    Case(
        "GET of an image", lambda visit: ok(visit.drive.get(visit.image)), {"action": "read", **DONE, **IMAGE, **WHOLE}
    ),
    Case(
        "GET of an image that was listed before",
        get_listed,
        {"action": "read", **DONE, **IMAGE, **WHOLE},
    ),
    Case(
        "GET of an image in many ranges",
        in_ranges,
        {"action": "read", **DONE, **IMAGE, **WHOLE, "requests": 3},
        COMPLETE,
    ),
    Case(
        "GET of a part of an image",
        lambda visit: ok(visit.drive.request("GET", visit.image, headers={"Range": "bytes=0-9"}), 206),
        {"action": "read", **PARTIAL, **IMAGE, "bytes": 10, "size": lambda visit: len(visit.first)},
        COMPLETE,
    ),
    Case(
        "HEAD of an image",
        lambda visit: ok(visit.drive.head(visit.image)),
        None,
        others={COLLECTION: {"action": "read", **DONE, **IMAGE, **WHOLE}},
    ),
    Case(
        "GET that is answered with 304",
        get_unchanged,
        None,
        COMPLETE,
    ),
    Case(
        "GET of an archive",
        lambda visit: ok(visit.drive.get(f"files/{visit.patient}/study.zip")),
        {"action": "read", **DONE, **STUDY, "sop_instances": 1},
    ),
    Case(
        "GET of an archive, broken off",
        break_off,
        {"action": "read", **PARTIAL, "level": "study", "sop_instances": ARCHIVE_OF, "reason": "Interrupted"},
        COMPLETE,
    ),
    Case(
        "GET of a text about a study",
        lambda visit: ok(visit.drive.get(f"files/{visit.patient}/study.json")),
        {"action": "read", **DONE, **STUDY, "sop_instances": 0},
    ),
    Case(
        "GET of an anonymised image",
        get_anonymised,
        {
            "action": "read",
            **DONE,
            **IMAGE,
            "resource": lambda visit: dicom.ids(dicom.instance(f"{visit.patient}-anonymised")).instance,
            "study_instance_uid": lambda visit: dicom.uid(f"{visit.patient}-anonymised", 1),
        },
    ),
    Case("GET of README.txt", lambda visit: ok(visit.drive.get("README.txt")), None),
    Case(
        "GET of a file in the inbox",
        lambda visit: ok(visit.drive.get(f"inbox/note-{visit.door}.txt")),
        {"action": "read", **DONE, **NOTHING, "bytes": 4},
    ),
    Case(
        "GET of nothing, three times",
        get_nothing,
        {"action": "read", **FAILED, **NOTHING, "reason": "NotFound", "requests": 3},
    ),
    Case(
        "PROPFIND of a folder, where listings are recorded",
        lambda visit: visit.drive.propfind(place_of(visit.image, "studies")),
        {"action": "list", **DONE, **STUDY},
    ),
    Case("PROPFIND of a file", lambda visit: visit.drive.propfind(visit.image, "0"), None),
    Case("PROPFIND of nothing", lambda visit: visit.drive.status("by-patient/nobody"), None),
    Case(
        "a search, opened twice",
        search,
        {"action": "search", **DONE, **NOTHING, "keywords": "PatientID,Modality", "hits": 1, "requests": 2},
    ),
    Case(
        "PUT of an image",
        lambda visit: ok(visit.drive.put(f"inbox/{visit.patient}.dcm", visit.second)),
        {"action": "upload", **DONE, **UPLOADED, "bytes": lambda visit: len(visit.second)},
    ),
    Case(
        f"PUT of {ZIP}",
        lambda visit: ok(visit.drive.put(f"inbox/{visit.patient}.zip", images_in_zip(visit, damaged=False))),
        {"action": "upload", **DONE, **STUDY, "sop_instances": 2},
    ),
    Case(
        "PUT of a ZIP with a damaged image",
        lambda visit: ok(visit.drive.put(f"inbox/{visit.patient}.zip", images_in_zip(visit, damaged=True)), 415),
        {"action": "upload", **PARTIAL, **STUDY, "sop_instances": 2, "reason": "Rejected"},
    ),
    Case(
        "PUT of another file",
        lambda visit: ok(visit.drive.put(f"inbox/{visit.patient}.txt", b"text")),
        {"action": "upload", **DONE, **NOTHING, "sop_instances": 0, "bytes": 4},
    ),
    Case(
        "PUT of a damaged image",
        lambda visit: ok(visit.drive.put(f"inbox/{visit.patient}.dcm", visit.second[:200]), 415),
        {"action": "upload", **REFUSED, **NOTHING, "reason": "Rejected"},
    ),
    Case(
        "PUT of a text on a study",
        lambda visit: ok(visit.drive.put(f"{place_of(visit.image, 'studies')}/report.txt", b"a report")),
        {"action": "attach", **DONE, **IMAGE, "resource": ANY},
    ),
    Case(
        "PUT of an image on its study",
        lambda visit: ok(visit.drive.put(f"{place_of(visit.image, 'studies')}/new.dcm", visit.second)),
        {"action": "upload", **DONE, **UPLOADED},
    ),
    Case(
        "PUT of an image on another study",
        lambda visit: ok(visit.drive.put(f"{place_of(visit.image, 'studies')}/x.dcm", dicom.instance("other")), 409),
        {"action": "attach", **REFUSED, **NOTHING, "reason": "Conflict"},
    ),
    Case(
        "PUT as a user who may not",
        lambda visit: as_reader(visit, "PUT", f"inbox/{visit.patient}.dcm"),
        {"action": "upload", **REFUSED, "user": "reader", "reason": "Forbidden"},
        COMPLETE,
        others={COLLECTION: None},
    ),
    Case(
        "PUT, broken off", break_upload, {"action": "upload", **FAILED, **NOTHING, "reason": "BrokenUpload"}, COMPLETE
    ),
    Case(
        "DELETE of an image",
        lambda visit: ok(visit.drive.delete(visit.image)),
        {"action": "delete", **DONE, **IMAGE},
    ),
    Case(
        "DELETE of a study",
        lambda visit: ok(visit.drive.delete(place_of(visit.image, "studies"))),
        {"action": "delete", **DONE, **STUDY, "sop_instances": 1},
    ),
    Case(
        "DELETE of a patient",
        lambda visit: ok(visit.drive.delete(place_of(visit.image, "patients"))),
        {"action": "delete", **DONE, "level": "study", "resource": of_study, "sop_instances": 1},
    ),
    Case(
        "MOVE of a study out of the trash",
        lambda visit: move(visit, "MOVE", deleted(visit), place_of(visit.image, "patients")),
        {"action": "restore", **DONE, **STUDY, "sop_instances": 1},
        COMPLETE,
    ),
    Case(
        "DELETE in the trash",
        lambda visit: ok(visit.drive.delete(deleted(visit))),
        {"action": "purge", **DONE, **STUDY, "sop_instances": 1},
    ),
    Case(
        "restoring by the page",
        lambda visit: ok(visit.drive.http.post(f"{visit.url}davfs-api/trash/{entry_of(visit)}/restore")),
        {"action": "restore", **DONE, **STUDY, "sop_instances": 1, "protocol": "http"},
        COMPLETE,
    ),
    Case(
        "deletion for good by the page",
        lambda visit: ok(visit.drive.http.delete(f"{visit.url}davfs-api/trash/{entry_of(visit)}")),
        {"action": "purge", **DONE, **STUDY, "protocol": "http"},
        COMPLETE,
    ),
    Case(
        "DELETE of a layout's folder",
        lambda visit: ok(visit.drive.delete("by-patient"), 403),
        {"action": "delete", **REFUSED, "reason": "Forbidden"},
    ),
    Case(
        "DELETE of an uploaded image in the inbox, which stays in Orthanc",
        lambda visit: ok(visit.drive.delete(uploaded(visit))),
        {"action": "delete", **DONE, **NOTHING, "sop_instances": 0},
    ),
    Case(
        "DELETE of nothing",
        lambda visit: ok(visit.drive.delete(f"inbox/{visit.patient}"), 404),
        {"action": "delete", **FAILED, **NOTHING, "reason": "NotFound"},
    ),
    Case(
        "MOVE of an uploaded image in the inbox",
        lambda visit: move(visit, "MOVE", uploaded(visit), f"inbox/{visit.patient}-2.dcm"),
        {"action": "move", **DONE, **UPLOADED},
        COMPLETE,
    ),
    Case(
        "MOVE of a temporary file to a name that is imported",
        put_hidden_and_rename,
        {"action": "move", **DONE, **UPLOADED},
        COMPLETE,
    ),
    Case(
        "COPY of an uploaded image in the inbox",
        lambda visit: move(visit, "COPY", uploaded(visit), f"inbox/{visit.patient}-2.dcm"),
        {"action": "copy", **DONE, **UPLOADED},
        COMPLETE,
    ),
    Case(
        "a login refused, three times",
        guess,
        {"action": "login-refused", **REFUSED, "user": "mallory", "requests": 3, "reason": "WrongPassword"},
        COMPLETE,
    ),
    Case(
        "reload of the layouts", reload_layouts, {"action": "reload", **DONE, **NOTHING, "protocol": "http"}, COMPLETE
    ),
    Case("OPTIONS and MKCOL", other_methods, None),
]


@dataclass(frozen=True, slots=True)
class Trail:
    """All that was recorded.

    Attributes:
        visits: The visits, by door and case.
        records: The records of each, by the user agent.
        all: All records of a door.
    """

    visits: Mapping[tuple[str, str], Visit]
    records: Mapping[tuple[str, str], list[dict[str, Any]]]
    all: Mapping[str, list[dict[str, Any]]]


def made(door: str, number: int, url: str, rest: httpx.Client) -> Visit:
    """Prepare a visit."""
    patient = f"{door}-{number}"
    visit = Visit(
        door,
        patient,
        url,
        WebDav(url, auth=("alice", "secret")),
        dicom.instance(patient, pixels=4096),
        dicom.instance(patient, number=2),
    )
    visit.drive.http.headers["User-Agent"] = f"case/{door}-{number}"
    import_by_rest(rest, visit.first)
    return visit


def act(case: Case, visit: Visit) -> None:
    """Do what a case does."""
    with visit.drive:
        case.act(visit)


@pytest.fixture(scope="module")
def trail(plugin: Path, servers: list[OrthancProcess], tmp_path_factory: pytest.TempPathFactory) -> Trail:
    """Do everything at all doors, stop the servers, and read their audit files."""
    folder = tmp_path_factory.mktemp("audit")
    (folder / "files.toml").write_text(FILES)
    (folder / "anonymised.toml").write_text(ANONYMISED)
    (folder / "filter.lua").write_text(FILTER)
    (folder / "password").write_text("drive")
    (port,) = free_ports(1)
    layouts = ["by-patient", str(folder / "files.toml"), str(folder / "anonymised.toml")]
    davfs = {"Server": {"Enabled": True, "Port": port}, "AllowDelete": True, "Layouts": layouts, "HashKey": HASH_KEY}
    davfs |= {"Audit": {"Listings": True, "File": str(folder / "plugin.jsonl")}}
    settings = {
        "AuthenticationEnabled": True,
        "RegisteredUsers": USERS,
        "LuaScripts": [str(folder / "filter.lua")],
    }
    options = itertools.chain.from_iterable(("--layout", each) for each in layouts)
    visits: dict[tuple[str, str], Visit] = {}
    with OrthancServer(folder / "orthanc", plugins=[plugin], davfs=davfs, settings=settings) as process:
        servers.append(process)
        serve = ServeProcess(
            folder,
            process.url,
            *options,
            "--allow-delete",
            "--audit-listings",
            *("--audit-file", str(folder / "serve.jsonl")),
            *("--username", "drive", "--password-file", str(folder / "password")),
            environment={"DAVFS_HASH_KEY": HASH_KEY},
        )
        with serve.ready(), httpx.Client(base_url=process.url, auth=("alice", "secret"), trust_env=False) as rest:
            urls = {COLLECTION: process.drive_url, SERVER: process.server_url, STANDALONE: serve.url}
            for door, url in urls.items():
                with WebDav(url, auth=("alice", "secret")) as drive:
                    ok(drive.put(f"inbox/note-{door}.txt", b"note"))
                many = (dicom.instance(f"large-{door}", number=n, pixels=1 << 19) for n in range(ARCHIVE_OF))
                import_by_rest(rest, *many)
            for number, case in enumerate(CASES):
                for door in case.doors:
                    visits[door, case.title] = visit = made(door, number, urls[door], rest)
                    act(case, visit)
            assert serve.stop() == 0
        process.stop()
        servers.remove(process)
    found = {SERVER: audit_records(folder / "plugin.jsonl"), STANDALONE: audit_records(folder / "serve.jsonl")}
    found[COLLECTION] = found[SERVER]
    records = {
        key: [each for each in found[key[0]] if each.get("agent") == visit.drive.http.headers["User-Agent"]]
        for key, visit in visits.items()
    }
    return Trail(visits, records, found)


EVERY = [(door, case) for case in CASES for door in case.doors]


@pytest.mark.parametrize(("door", "case"), EVERY, ids=[f"{door}-{case.title}" for door, case in EVERY])
def test_each_action_is_one_record(trail: Trail, door: str, case: Case) -> None:
    """One action is one record with the right fields, or none."""
    visit, found = trail.visits[door, case.title], trail.records[door, case.title]
    found = [each for each in found if each["action"] != "login"]
    if case.expected and case.expected["action"] != "list":
        found = [each for each in found if each["action"] != "list"]
    expected = case.others.get(door, case.expected)
    if expected is None:
        assert found == []
        return
    (record,) = found
    wanted = {key: value(visit) if callable(value) else value for key, value in expected.items()}
    wanted = {
        "user": "alice",
        "address": LOOPBACK,
        "door": NAMES[door],
        "protocol": "webdav",
        "requests": None,
    } | wanted
    assert {key: record.get(key) for key in wanted} == wanted, record


@pytest.mark.parametrize("door", DOORS)
def test_no_record_names_a_patient(trail: Trail, door: str) -> None:
    """No record has a name, a path, or what was searched."""
    texts = json.dumps([{**each, "agent": ""} for each in trail.all[door]])
    for visit in trail.visits.values():
        assert visit.patient not in texts
    for text in ("Doe", "by-patient", "inbox", "note", "secret"):
        assert text not in texts


@pytest.mark.parametrize("door", DOORS)
def test_all_records_are_valid(trail: Trail, door: str) -> None:
    """Each line is as docs/audit.schema.json describes it."""
    validator = Draft202012Validator(json.loads((ROOT / "docs" / "audit.schema.json").read_text()))
    assert len(trail.all[door]) > len(CASES)
    for record in trail.all[door]:
        validator.validate(record)


@pytest.mark.parametrize("door", COMPLETE)
def test_a_login_is_recorded_once(trail: Trail, door: str) -> None:
    """Users log in once, however many programs and requests they have."""
    logins = [each for each in trail.all[door] if each["action"] == "login" and each["door"] == NAMES[door]]
    assert sorted(each["user"] for each in logins) == ["alice", "reader"]


def told(case: Case, door: str) -> str:
    """Return the record of a case at a door, as the table has it."""
    if door not in case.doors:
        return ""
    expected = case.others.get(door, case.expected)
    if expected is None:
        return "none"
    count = expected.get("sop_instances", "")
    parts = [f"`{expected['action']}`", expected["outcome"], expected.get("reason", ""), expected.get("level", "")]
    return ", ".join(filter(None, [*parts, f"{count} instances" if count and count != 1 else ""]))


def test_the_table_in_the_documentation() -> None:
    """docs/audit.md has a row for each action, with its record at each door."""
    rows = ["| action | at Orthanc's port | at the drive's own port, and `davfs serve` |", "| --- | --- | --- |"]
    for case in CASES:
        ours, theirs = told(case, COLLECTION), told(case, SERVER)
        rows.append(f"| {case.title} | {ours} | {theirs} |")
    table = "\n".join(rows)
    assert table in (ROOT / "docs" / "audit.md").read_text(), table
