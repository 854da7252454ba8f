"""Tests of the shared objects that the plugin loads into Orthanc's process, and of the libraries that they call.

Orthanc's own libraries come first for all that is loaded later: an extension module of Python that contains a library
would call Orthanc's copy instead, of another version. The dynamic linker logs its choice.

When a test here fails: docs/adr/0015-c-extensions.md says what to look at before a line is added to `BROUGHT`.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import httpx
import lxml
import pytest

from davfs.demo.ports import free_ports
from davfs.demo.process import OrthancProcess
from tests.orthanc.conftest import PYTHON_PLUGIN, RunOrthanc
from tests.support import dicom
from tests.support.drive import only_file
from tests.support.webdav import WebDav

EVERYBODY = frozenset(
    {"ld-linux-x86-64", "ld-linux-aarch64", "libc", "libm", "libpthread", "libdl", "librt", "libpython3"}
)
"""The C library in its parts, and the interpreter."""

BROUGHT: dict[str, set[str]] = {
    "libOrthancDavfs": {"libstdc++", "libgcc_s"},  # the plugin: Orthanc's own, to catch what its core throws
    "libpython3": {"libexpat", "libz"},  # the interpreter; Debian has builtin modules call its own expat and zlib
    "libexpat": set(),  # comes with it: parses the XML of requests
    "libpthread": set(), "librt": set(), "libdl": set(),  # empty since the C library 2.34
    # Modules of the standard library: each calls the one library that it is there for, Debian's, as Orthanc itself.
    "_asyncio": set(), "_bz2": {"libbz2"}, "_contextvars": set(), "_ctypes": {"libffi"}, "_decimal": {"libmpdec"},
    "_hashlib": {"libcrypto"}, "_heapq": set(), "_hmac": set(), "_interpreters": set(), "_json": set(),
    "_lzma": {"liblzma"},
    "_multiprocessing": set(), "_posixshmem": set(), "_posixsubprocess": set(), "_queue": set(),
    "_remote_debugging": set(), "_sqlite3": {"libsqlite3"}, "_ssl": {"libssl", "libcrypto"}, "_typing": set(),
    "_uuid": {"libuuid"}, "_zoneinfo": set(), "_zstd": {"libzstd"}, "mmap": set(), "resource": set(), "termios": set(),
    # Those libraries, where no Orthanc of that Debian loads them itself.
    "libbz2": set(), "libffi": set(), "liblzma": set(), "libmpdec": set(), "libsqlite3": {"libz"}, "libuuid": set(),
    "libzstd": set(),
    # Packages.
    "_cffi_backend": set(),  # its wheel has a libffi inside: native/interpreter.c sees to it that it calls that one
    "charset_normalizer/cd": set(), "charset_normalizer/md": set(),  # of requests, which pydicom imports if installed
    "markupsafe/_speedups": set(),  # of Jinja2, which WsgiDAV imports for pages that the drive does not use
}  # fmt: skip
"""What may be loaded because of the plugin, by name, and the libraries that it may call beside `EVERYBODY`."""

MODULES = """
import json, sys, orthanc
{first}
def modules(output, uri, **request):
    tools = sys.modules.get('wsgidav.xml_tools')
    told = {{'modules': list(sys.modules), 'WsgiDAV with lxml': tools.use_lxml if tools else None}}
    output.AnswerBuffer(json.dumps(told), 'application/json')
orthanc.RegisterRestCallback('/modules', modules)
"""
BINDING = re.compile(r"binding file (\S+) \[0\] to (\S+) \[0\]: normal symbol `([^']+)'(?: \[(\w+)[\w.]*\])?")
LOCK = '<lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope><locktype><write/></locktype></lockinfo>'
SET = '<propertyupdate xmlns="DAV:"><set><prop><x:colour xmlns:x="urn:x">blue</x:colour></prop></set></propertyupdate>'


def name_of(file: str) -> str:
    """Return the name of a shared object, without version and machine; that of a package, with its folder."""
    path = Path(file)
    stem = path.name.split(".")[0]
    return f"{path.parent.name}/{stem}" if path.parent.parent.name == "site-packages" else stem


def mapped(server: OrthancProcess) -> set[str]:
    """Return the shared objects in a server's memory."""
    lines = Path(f"/proc/{server.pid}/maps").read_text().splitlines()
    return {line.split(maxsplit=5)[5] for line in lines if line.count("/") and ".so" in line}


def use(server: OrthancProcess) -> None:
    """Send requests of all kinds to both doors."""
    content = dicom.instance("shared objects")
    for url in (server.drive_url, server.server_url):
        with WebDav(url) as drive:
            assert drive.put("inbox/image.dcm", content).is_success
            (patient,) = drive.listing("by-patient")
            assert drive.get(only_file(drive, f"by-patient/{patient}")).content == content
            for method, body in (("LOCK", LOCK), ("PROPPATCH", SET), ("PROPFIND", "")):
                assert drive.request(method, "inbox/note.txt", content=body, headers={"Depth": "0"}).status_code < 500


@pytest.fixture(scope="module")
def bare(run_orthanc: RunOrthanc) -> set[str]:
    """Shared objects of an Orthanc without the plugin."""
    with run_orthanc(plugins=[], stops=True) as server:
        assert httpx.post(f"{server.url}/instances", content=dicom.instance("bare"), trust_env=False).is_success
        return mapped(server)


@pytest.fixture(scope="module")
def told(run_orthanc: RunOrthanc, tmp_path_factory: pytest.TempPathFactory) -> tuple[set[str], str]:
    """Shared objects of an Orthanc with the plugin, and the log of the dynamic linker."""
    output = tmp_path_factory.mktemp("linker") / "told"
    with pytest.MonkeyPatch.context() as environment:
        for variable, value in {"LD_DEBUG": "bindings", "LD_DEBUG_OUTPUT": str(output), "LD_BIND_NOW": "1"}.items():
            environment.setenv(variable, value)
        with run_orthanc(davfs={"Server": {"Enabled": True, "Port": free_ports(1)[0]}}, stops=True) as server:
            use(server)
            return mapped(server), Path(f"{output}.{server.pid}").read_text(errors="replace")


@pytest.fixture(scope="module")
def brought(bare: set[str], told: tuple[set[str], str]) -> set[str]:
    """Shared objects that are there because of the plugin."""
    return told[0] - bare


@pytest.fixture(scope="module")
def called(brought: set[str], told: tuple[set[str], str]) -> Mapping[str, set[str]]:
    """The libraries that each of them calls, by name; variables of the C library that a program holds left out."""
    found: dict[str, set[str]] = {}
    real = {path: str(Path(path).resolve()) for path in set(re.findall(r"binding file (\S+)", told[1]))}
    for caller, library, _, version in BINDING.findall(told[1]):
        if real[caller] in brought and not (library.endswith("/Orthanc") and version == "GLIBC_2"):
            found.setdefault(name_of(caller), set()).add(name_of(library))
    return found


def test_known(brought: set[str]) -> None:
    """Only shared objects in the table are loaded."""
    names = {name_of(path) for path in brought}
    assert {"libOrthancDavfs", "libpython3", "_cffi_backend", "_sqlite3", "_ssl"} <= names
    assert names <= BROUGHT.keys()


def test_called(called: Mapping[str, set[str]]) -> None:
    """Each shared object calls only itself, the interpreter, the C library, and the libraries listed for it."""
    assert called["_ssl"] >= {"libssl", "libpython3"}
    strange = {name: libraries - EVERYBODY - {name} - BROUGHT[name] for name, libraries in called.items()}
    assert {name: libraries for name, libraries in strange.items() if libraries} == {}


def test_one_copy(told: tuple[set[str], str]) -> None:
    """No library is in the process twice, as one file of Orthanc's and one of ours."""
    names = [name_of(path) for path in told[0]]
    assert [name for name in names if names.count(name) > 1] == []


def test_no_lxml(told: tuple[set[str], str]) -> None:
    """Although lxml is installed beside cffi, it is not in Orthanc's process."""
    packages = Path(str(lxml.__file__)).parent.parent
    assert [path for path in told[0] if Path(path).parent == packages]
    assert not [path for path in told[0] if "lxml" in path]


@pytest.mark.parametrize("first", ["", "sys.path.append({packages!r}); import lxml.etree; sys.path.pop()"])
def test_modules(run_orthanc: RunOrthanc, plugin: Path, tmp_path: Path, first: str) -> None:
    """No module of lxml is imported, unless by a script of orthanc-python, which then goes on with it."""
    script = tmp_path / "modules.py"
    packages = str(Path(str(lxml.__file__)).parent.parent)
    script.write_text(MODULES.format(first=first.format(packages=packages)))
    davfs = {"Server": {"Enabled": True, "Port": free_ports(1)[0]}}
    with run_orthanc(
        plugins=[PYTHON_PLUGIN, plugin], settings={"PythonScript": str(script)}, davfs=davfs, stops=True
    ) as server:
        use(server)
        answer = httpx.get(f"{server.url}/modules", trust_env=False).json()
        assert answer["WsgiDAV with lxml"] is False
        assert any(name.split(".")[0] == "lxml" for name in answer["modules"]) is bool(first)
