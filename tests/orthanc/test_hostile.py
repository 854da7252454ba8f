"""Tests that no request, name or file crashes or hangs Orthanc, and that each entry that is listed can be fetched."""

import re
import socket
import unicodedata
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from davfs.demo.process import OrthancProcess
from tests.support import dicom
from tests.support.drive import delete_all, import_by_rest, place
from tests.support.webdav import WebDav, parse

REQUESTS: tuple[tuple[str, str, bytes], ...] = (
    ("GET", "", b""),
    ("HEAD", "", b""),
    ("GET", "Depth: 1\r\n", b""),
    ("PROPFIND", "Depth: 0\r\n", b""),
    ("PROPFIND", "Depth: 1\r\n", b"<?xml version='1.0'?><propfind xmlns='DAV:'><allprop/></propfind>"),
    ("PROPFIND", "Depth: infinity\r\n", b""),
    ("PROPFIND", "", b"no XML"),
    ("OPTIONS", "", b""),
    ("PUT", "", b"hostile"),
    ("PUT", "", b""),
    ("MKCOL", "", b""),
    ("PROPPATCH", "", b"<propertyupdate xmlns='DAV:'/>"),
    ("LOCK", "", b"<lockinfo xmlns='DAV:'><lockscope><exclusive/></lockscope></lockinfo>"),
    ("UNLOCK", "Lock-Token: <x>\r\n", b""),
    ("COPY", "Destination: /davfs/drive/inbox/..\r\n", b""),
    ("MOVE", "Destination: /davfs/\r\n", b""),
    ("POST", "", b"x"),
    ("DELETE", "", b""),
)
"""Method, headers and content."""

ROOTS = (
    "/davfs", "/davfs/", "/davfs//", "//davfs", "/davfs/x/..", "/davfs/.", "/davfs/..", "/davfs/...", "/davfs/%2e",
    "/davfs./", "/davfs?", "/davfs/?x=1", "/davfs%2f", "/%64avfs", "/davfs/%2e%2e/davfs", "/davfs/%2F", "/davfs/%5C",
    "/davfs%00", "/davfs/%00", "/davfs/drive", "/davfs/drive/", "/davfs/drive//", "/davfs/drive/.", "/davfs/drive/..",
    "/davfs/drive/../", "/davfs/drive/../..", "/davfs/drive/%2e%2e", "/davfs/drive%2F..", "/davfs/drive/x/../..",
    "/davfs/drive%5C..", "/davfs/drive./..", "/davfs/%64rive", "/davfs/x", "/DAVFS", "/davfs/drive/..%2f..%2fdavfs",
)  # fmt: skip

SEGMENTS = (
    "%01", "a%0Ab", "a%0D%0Ab", "%7F", "%C2%85", "a%09b", ".", "..", "...", "x.", "x...", "%2E", "%2E%2E", "x%2E", " ",
    "%20", "x%20", "%2F", "a%2Fb", "%5C", "a%5Cb", "..%5C..", "%00", "a%00b", "%E9", "%FF", "%C0%AF", "%ED%A0%80",
    "%EF%BF%BE", "%F4%90%80%80", "%E2%80%AE", "%", "%G1", "%u0041", "a;b", "a&b", "a?b", "a#b", "<b>", "]]>", "*",
    "CON", "NUL.txt", "~", "x" * 4096, "%41" * 1400, "%E6%97%A5" * 400, "/".join("x" * 200), "/".join([".."] * 50),
    "//" * 100,
)  # fmt: skip

FOLDERS = (
    "/davfs/",
    "/davfs/drive/",
    "/davfs/drive/by-patient/",
    "/davfs/drive/inbox/",
    "/davfs/drive/inbox/rejected/",
)

TAGS: tuple[str | bytes, ...] = (
    "", " ", ".", "..", "...", "a/b", "../../etc", "a\\b", "\\", "/", "x.", ".hidden", "a\x01b", "\x1b[31m", "tab\tx",
    "line\r\nbreak", "\x7f", "\x85", "nul\0nul", "CON", "con.txt", "LPT1", "aux.", "COM¹", "<b>&amp;]]>", "a?b#c",
    "%2F%00%2e%2e", "\u202egnp.exe", "\u200b", "\ufeff", "\ufffe", "\u2028", "\u0301x", "e\u0301", "é", "日本語",
    "👨‍👩‍👧‍👦", "👩‍⚕️" * 16, "z\u0351\u036b\u0343", "x" * 64, "é" * 64, "x" * 63 + ".", "Doe^John^^Dr.^Jr.", "^^^^",
    "=Yamada^Taro=山田^太郎", "~0123456789", "x ~0123456789", "README.txt", "*", "|", '"', "'", ":",
    b"caf\xe9", b"\xff\xfe\xfd", b"\xc0\xaf", b"\xed\xa0\x80", b"a\0b", b"\x1b$B;3ED\x1b(B", b"\xf4\x90\x80\x80",
)  # fmt: skip
"""Values of PatientID, PatientName, StudyDescription and SeriesDescription."""

CHARACTER_SETS = (
    b"ISO_IR 100", b"ISO_IR 101", b"ISO_IR 166", b"ISO_IR 999", b"GB18030   ", b"nonsense  ", b"\\ISO_IR 87", b" " * 10
)  # fmt: skip
"""What stands in the place of ``ISO_IR 192``: as many bytes."""


@pytest.fixture(autouse=True)
def alive(orthanc: OrthancProcess, rest: httpx.Client) -> Iterator[None]:
    """After each test Orthanc still answers, and no callback has failed with an unexpected exception."""
    before = orthanc.log.stat().st_size
    yield
    assert rest.get("/system").status_code == 200
    written = orthanc.log.read_bytes()[before:].decode(errors="replace")
    assert not re.findall(r"davfs: .* failed: .*", written)


def send(drive: WebDav, method: str, target: bytes, headers: str = "", body: bytes = b"") -> int:
    """Send a request line byte for byte, and return the status; 0 if the connection was closed instead.

    Raises:
        OSError: Orthanc does not answer, or does not take the connection.
    """
    head = f" HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode()
    with socket.create_connection((drive.host, drive.port), timeout=10) as connection:
        try:
            connection.sendall(method.encode() + b" " + target + head + body)
            answer = b"".join(iter(lambda: connection.recv(1 << 16), b""))
        except (BrokenPipeError, ConnectionResetError):  # refused before it was read to its end
            return 0
    return int(answer.split(b" ", 2)[1]) if answer else 0


def files(drive: WebDav, folder: str) -> Iterator[tuple[str, bytes]]:
    """Yield href and content of all files below the href of a folder; everything that is listed has to answer."""
    answer = drive.http.request("PROPFIND", folder, headers={"Depth": "1"})
    assert answer.status_code == 207, folder
    names = set()
    for entry in parse(answer.content)[1:]:
        assert entry.href.startswith(f"{folder.rstrip('/')}/"), (folder, entry.href)
        assert drive.http.request("PROPFIND", entry.href, headers={"Depth": "0"}).status_code == 207, entry.href
        assert unicodedata.is_normalized("NFC", entry.name)
        assert entry.name.casefold() not in names, entry.name
        names.add(entry.name.casefold())
        if entry.is_folder:
            yield from files(drive, entry.href)
        else:
            content = drive.http.get(entry.href)
            assert content.status_code == 200, entry.href
            assert len(content.content) == entry.size, entry.href
            yield entry.href, content.content


# --- requests ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ROOTS)
def test_roots(drive: WebDav, target: str) -> None:
    """All methods are answered on all spellings of the two roots: GET on a collection's root kills a bare core."""
    for method, headers, body in REQUESTS:
        assert send(drive, method, target.encode(), headers, body) in range(200, 600), (method, headers)


@pytest.mark.parametrize("segment", SEGMENTS, ids=lambda segment: segment[:20])
def test_names_in_requests(drive: WebDav, segment: str) -> None:
    """All methods are answered on strange names, as the last segment and as one before it."""
    for folder in FOLDERS:
        for target in (folder + segment, f"{folder}{segment}/x"):
            for method, headers, body in REQUESTS:
                status = send(drive, method, quote(target, safe="/%").encode(), headers, body)
                assert status in range(200, 600), (method, headers, folder)


@pytest.mark.parametrize(
    "segment", [b"\x01", b"\x7f", b"\xe9", b"\xff\xfe", b"a\tb", b"a\x00b", b"\xc3\xa9", b"<>\"'`{}|^"]
)
def test_raw_bytes_in_requests(drive: WebDav, segment: bytes) -> None:
    """Bytes that no URL may have are answered, or the connection is closed."""
    for folder in FOLDERS:
        for method, headers, body in REQUESTS:
            send(drive, method, folder.encode() + segment, headers, body)


def test_what_strange_requests_left_can_be_fetched(drive: WebDav) -> None:
    """Files stored under strange names are listed, if at all, under hrefs that lead to them."""
    for segment in SEGMENTS:
        drive.verbatim("PUT", quote(f"/davfs/drive/inbox/{segment}", safe="/%"), body=b"strange")
        drive.verbatim("MKCOL", quote(f"/davfs/drive/inbox/{segment}-folder", safe="/%"))
    found = dict(files(drive, drive.href("inbox")))
    assert b"strange" in found.values()


def test_interrupted_requests(drive: WebDav) -> None:
    """Clients that leave in the middle of a body or a request line leave nothing behind, and block no other client."""
    promise = b"PUT /davfs/drive/inbox/half HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nhalf"
    for sent in (promise, b"PROPFIND /davfs/dr", b"GET ", b"\r\n\r\n", b"\x16\x03\x01\x02\x00\x01"):
        for _ in range(20):
            with socket.create_connection((drive.host, drive.port), timeout=10) as connection:
                connection.sendall(sent)
    assert drive.status("inbox/half") == 404


# --- tags -------------------------------------------------------------------------------------------------------------


def test_tags_of_real_files(rest: httpx.Client, drive: WebDav) -> None:
    """With any tags, in any character set, every folder can be listed, and every file is downloaded unchanged."""
    contents = []
    for number, value in enumerate(TAGS):
        uids = {name: dicom.uid("hostile", number, name) for name in ("StudyInstanceUID", "SeriesInstanceUID")}
        tags = uids | dict.fromkeys(("PatientID", "PatientName", "StudyDescription", "SeriesDescription"), value)
        contents.append(dicom.instance("hostile", number, tags=tags))
        import_by_rest(rest, contents[-1])
    for character_set in CHARACTER_SETS:
        for value in (b"M\xfcller \x81\x9f", "Müller".encode(), b"\x1b$B;3ED\x1b(B"):
            tags = dict.fromkeys(("PatientName", "StudyDescription"), value)
            content = dicom.instance("charset", f"{character_set!r}{value!r}", tags=tags)
            contents.append(content.replace(b"ISO_IR 192", character_set))
            import_by_rest(rest, contents[-1])
    assert sorted(content for _, content in files(drive, drive.href("by-patient"))) == sorted(contents)


@pytest.mark.parametrize(
    "pair",
    [("case", "CASE"), ("m\u00fc", "mu\u0308"), ("stra\u00dfe", "strasse"), ("\u212b", "\u00c5"), ("k", "\u212a")],
)
def test_names_that_clients_take_for_the_same(rest: httpx.Client, drive: WebDav, pair: tuple[str, str]) -> None:
    """Patients whose names differ in case or normal form alone have folders of their own, each with its own file."""
    before = set(drive.listing("by-patient"))
    contents = [dicom.instance(f"same {one!a}", tags={"PatientID": one, "PatientName": one}) for one in pair]
    import_by_rest(rest, *contents)
    names = set(drive.listing("by-patient")) - before
    found = [[content for _, content in files(drive, drive.href(f"by-patient/{name}"))] for name in names]
    assert sorted(found) == sorted([content] for content in contents)


def test_either_normal_form_leads_to_an_entry(rest: httpx.Client, drive: WebDav) -> None:
    """Names are listed in NFC, and found in NFC and, as macOS asks, in NFD; whatever form the file had."""
    for form in ("NFC", "NFD"):
        text = unicodedata.normalize(form, f"Zo\u00eb {form}")
        tags = {"PatientName": text, "StudyDescription": text}
        content = dicom.instance(form, tags=tags)
        import_by_rest(rest, content)
        path = place(form, tags=tags)
        for asked in ("NFC", "NFD"):
            wanted = unicodedata.normalize(asked, path)
            assert drive.get(wanted).content == content
            assert drive.status(wanted) == 207
            assert list(drive.listing(wanted.rpartition("/")[0])) == ["00001.dcm"]
        assert drive.put(unicodedata.normalize("NFD", f"inbox/Zo\u00eb {form}"), b"x").status_code == 201
        assert f"Zo\u00eb {form}" in drive.listing("inbox")
        assert drive.get(f"inbox/Zo\u00eb {form}").content == b"x"


# --- any names --------------------------------------------------------------------------------------------------------

ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=64) | st.sampled_from(
    [value for value in TAGS if isinstance(value, str)]
)
TEXTS = st.fixed_dictionaries({"PatientID": ANY_TEXT, "PatientName": ANY_TEXT, "StudyDescription": ANY_TEXT})


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(TEXTS, min_size=1, max_size=3))
@example([{"PatientID": text, "PatientName": "", "StudyDescription": ""} for text in ("a", "A", "a ~0123456789")])
def test_whatever_is_listed_can_be_fetched(rest: httpx.Client, drive: WebDav, several: list[dict[str, Any]]) -> None:
    """Files of any names are in the tree, each once, and come back byte for byte under the hrefs shown for them."""
    delete_all(rest)
    contents = [dicom.instance("any", number, tags=tags) for number, tags in enumerate(several)]
    import_by_rest(rest, *contents)
    assert sorted(content for _, content in files(drive, drive.href("by-patient"))) == sorted(contents)
