"""A plugin that cannot start stops Orthanc, with one line for the administrator."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from davfs.demo.process import OrthancFailed, OrthancProcess
from tests.orthanc.conftest import REFUSAL, RunOrthanc
from tests.support.orthanc_server import OrthancServer
from tests.support.serving import ServeProcess
from tests.support.webdav import WebDav

AT_ONCE = 3
"""Servers that start at the same time: most of their time is Orthanc waiting for its own threads."""
LAYOUT = 'title = "{title}"\n[[level]]\npatient = "{{{tag}}}"\n'


@dataclass(frozen=True, slots=True)
class Bad:
    """A configuration that is refused.

    Attributes:
        davfs: The section, or what stands in its place.
        says: What the line has to hold: the key, the value, and what to do about it.
    """

    davfs: Any
    says: tuple[str, ...]


URI = "must be a path such as /davfs"
FLAG = "must be true or false"
NUMBER = "must be a whole number"
TEXT = "must be a path in quotes"
LIST = "must be a list of names of layouts"
PYTHON = "must be the absolute path of a virtual environment's bin/python3"

BAD = {
    "section": Bad([], ("Davfs", "must be an object", "AllowDelete")),
    "near miss": Bad({"AllowDelet": True}, ("Davfs.AllowDelet ", "did you mean AllowDelete?")),
    "unknown key": Bad({"Quux": 1}, ("Davfs.Quux ", "known are", "AllowUpload")),
    "case of a key": Bad({"uri": "/x"}, ("Davfs.uri ", "did you mean Uri?")),
    "Uri a number": Bad({"Uri": 5}, ("Davfs.Uri", "5", URI)),
    "Uri empty": Bad({"Uri": ""}, ("Davfs.Uri", "''", URI)),
    "Uri relative": Bad({"Uri": "mine"}, ("Davfs.Uri", "mine", URI)),
    "Uri with a slash": Bad({"Uri": "/mine/"}, ("Davfs.Uri", "'/mine/'", URI)),
    "Uri with a space": Bad({"Uri": "/my drive"}, ("Davfs.Uri", "'/my drive'", URI)),
    "Uri with dots": Bad({"Uri": "/mine/.."}, ("Davfs.Uri", "'/mine/..'", URI)),
    "Uri too long": Bad({"Uri": "/" + "m" * 300}, ("Davfs.Uri", "mmm", "less than 200 characters")),
    "Uri of REST": Bad({"Uri": "/patients"}, ("Davfs.Uri", "'/patients'", "choose another")),
    "Uri below REST": Bad({"Uri": "/tools/drive"}, ("Davfs.Uri", "'/tools/drive'", "choose another")),
    "Uri of WebDAV": Bad({"Uri": "/webdav"}, ("Davfs.Uri", "'/webdav'", "choose another")),
    "Server": Bad({"Server": 5}, ("Davfs.Server", "5", "Enabled, Address, Port")),
    "Server's key": Bad({"Server": {"Prot": 1}}, ("Davfs.Server.Prot", "did you mean Port?")),
    "Server without a port": Bad({"Server": {"Enabled": True, "Port": 0}}, ("Davfs.Server.Port", "0", "TCP port")),
    "Server enabled with text": Bad({"Server": {"Enabled": "no"}}, ("Davfs.Server.Enabled", "'no'", FLAG)),
    "Server's port": Bad({"Server": {"Port": "8043"}}, ("Davfs.Server.Port", "'8043'", "TCP port")),
    "Layouts text": Bad({"Layouts": "by-patient"}, ("Davfs.Layouts", "'by-patient'", LIST)),
    "Layouts empty": Bad({"Layouts": []}, ("Davfs.Layouts", "[]", LIST)),
    "Layouts of numbers": Bad({"Layouts": [5]}, ("Davfs.Layouts", "[5]", LIST)),
    "Layouts unknown": Bad({"Layouts": ["by-size"]}, ("Davfs.Layouts", "'by-size'", "by-patient")),
    "Layouts relative": Bad({"Layouts": ["mine.toml"]}, ("Davfs.Layouts", "'mine.toml'", "whole path")),
    "Layouts twice": Bad({"Layouts": ["by-patient"] * 2}, ("Davfs.Layouts", "'by-patient'", "twice", "keep one")),
    "HashKey": Bad({"HashKey": "too short"}, ("Davfs.HashKey", "at least 16 characters")),
    "HashKey missing": Bad({"Layouts": ["research"]}, ("research.toml:", "anonymised needs a key", "Davfs.HashKey")),
    "AllowUpload": Bad({"AllowUpload": "yes"}, ("Davfs.AllowUpload", "'yes'", FLAG)),
    "AllowDelete": Bad({"AllowDelete": 1}, ("Davfs.AllowDelete", "1", FLAG)),
    "Search": Bad({"Search": "false"}, ("Davfs.Search", "'false'", FLAG)),
    "Spool": Bad({"Spool": 5}, ("Davfs.Spool", "5", TEXT)),
    "SpoolMaximumSize": Bad({"SpoolMaximumSize": -1}, ("Davfs.SpoolMaximumSize", "-1", NUMBER)),
    "SpoolMaximumAge": Bad({"SpoolMaximumAge": 1.5}, ("Davfs.SpoolMaximumAge", "1.5", NUMBER)),
    "Catalog": Bad({"Catalog": ["c"]}, ("Davfs.Catalog", "['c']", TEXT)),
    "Python a number": Bad({"Python": 5}, ("Davfs.Python", PYTHON)),
    "Python relative": Bad({"Python": "bin/python3"}, ("Davfs.Python", "bin/python3", PYTHON)),
    "Python missing": Bad({"Python": "/no/bin/python3"}, ("Davfs.Python", "/no/bin/python3", "virtual environment")),
    "Python of Debian": Bad({"Python": "/usr/bin/python3"}, ("Davfs.Python", "/usr/bin/python3", "make it anew")),
    "Python a folder": Bad({"Python": "/usr/bin"}, ("Davfs.Python", "/usr/bin", "virtual environment")),
}

Refused: TypeAlias = Callable[[Any], str]


def refusal(plugin: Path, folder: Path, davfs: Any) -> str:
    """Start an Orthanc that must not come up; return the sentence that it logged."""
    server = OrthancProcess(folder, plugins=[plugin], settings={"Davfs": davfs})
    try:
        with pytest.raises(OrthancFailed, match="while it started"):
            server.start()
    finally:
        server.stop()
    log = server.log.read_text()
    lines = [line for line in log.splitlines() if REFUSAL in line]
    assert server.wait() > 0, log
    assert len(lines) == 1, log
    assert lines[0].startswith("E"), "an error in Orthanc's log"
    assert lines[0].partition("] ")[2].startswith(REFUSAL)
    assert "Traceback" not in log
    return lines[0].partition(REFUSAL)[2]


def assert_says(line: str, *words: str) -> None:
    """Assert that all of these stand in the line."""
    assert not [word for word in words if word not in line], line


@pytest.fixture(scope="module")
def refused(plugin: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Future[str]]]:
    """The refusals of all bad configurations, some at a time."""
    folder = tmp_path_factory.mktemp("refused")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {
            name: pool.submit(refusal, plugin, folder / name.replace(" ", "-"), _with_python(bad.davfs))
            for name, bad in BAD.items()
        }


def _with_python(davfs: Any) -> Any:
    return {"Python": sys.executable} | davfs if isinstance(davfs, dict) else davfs


@pytest.fixture
def refuse(plugin: Path, tmp_path: Path) -> Refused:
    """Starts an Orthanc with this section, and returns the sentence that it must log."""
    return lambda davfs: refusal(plugin, tmp_path / "server", _with_python(davfs))


@pytest.mark.parametrize("name", BAD)
def test_bad_settings(refused: Mapping[str, Future[str]], name: str) -> None:
    """The line names the key, the value and what is allowed."""
    assert_says(refused[name].result(), *BAD[name].says)


def test_environment_without_this_package(refuse: Refused, tmp_path: Path) -> None:
    """An empty virtual environment is named, with what to install there."""
    python = _environment(tmp_path / "empty")
    assert_says(refuse({"Python": python}), "Davfs.Python", python, "install")


def test_environment_with_cffi_alone(refuse: Refused, tmp_path: Path) -> None:
    """An environment that is made for something else, and has cffi by chance, is refused no less clearly."""
    python = _environment(tmp_path / "other")
    (packages,) = (tmp_path / "other").glob("lib/python*/site-packages")
    for name in ("cffi", "_cffi_backend"):
        spec = find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        source = Path(spec.origin)
        if spec.submodule_search_locations:
            shutil.copytree(source.parent, packages / name)
        else:
            shutil.copy(source, packages)
    assert_says(refuse({"Python": python}), "Davfs.Python", python, "install")


def _environment(folder: Path) -> str:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    return str(folder / "bin" / "python3")


def test_no_layout_is_right(refuse: Refused, tmp_path: Path) -> None:
    """The message about each layout file has its line and the possible tags; a missing file is named."""
    wrong, missing = tmp_path / "mine.toml", tmp_path / "none.toml"
    wrong.write_text(LAYOUT.format(title="mine", tag="PatientNam"))
    line = refuse({"Layouts": [str(wrong), str(missing)]})
    assert_says(line, f"{wrong}:3: ", "PatientNam", "PatientName", str(missing), "No such file")


def test_the_key_of_pseudonyms_is_not_told(refuse: Refused) -> None:
    """A refusal does not hold what was given."""
    assert "too short" not in refuse({"HashKey": "too short"})


def test_a_bad_layout_keeps_the_others(run_orthanc: RunOrthanc, tmp_path: Path) -> None:
    """The log names it with its line, and so does the drive's README; valid layouts are shown."""
    titles = {"wrong": "wrong", "reserved": "Inbox", "second": "By-Patient"}
    files = {name: tmp_path / f"{name}.toml" for name in titles}
    for name, file in files.items():
        file.write_text(LAYOUT.format(title=titles[name], tag="Quux" if name == "wrong" else "PatientID"))
    layouts = ["by-patient", *map(str, files.values()), str(tmp_path / "none.toml")]
    with run_orthanc(davfs={"Layouts": layouts}) as server, WebDav(server.drive_url) as drive:
        assert drive.listing().keys() - {"search"} == {"README.txt", "by-patient", "inbox"}
        readme, log = drive.get("README.txt").text, server.log.read_text()
    assert "wrong.toml\n    This layout is not shown, for it is wrong: line 3: " in readme
    assert f'davfs: {files["wrong"]}:3: patient: unknown tag "Quux"' in log
    assert f"{files['reserved']}:1: " in log
    assert '"By-Patient" is the title of by-patient.toml as well' in log
    assert f"{tmp_path / 'none.toml'}: the layout cannot be read: No such file" in log
    assert log.count("; this layout is not shown") == 4


def test_pseudonyms(run_orthanc: RunOrthanc) -> None:
    """With a key the research layout is shown, and the key is nowhere in the log."""
    key = "a key that nobody knows"
    layouts = {"Layouts": ["research"], "HashKey": key}
    with run_orthanc(davfs=layouts, arguments=["--verbose"]) as server, WebDav(server.drive_url) as drive:
        assert "research" in drive.listing()
    assert key not in server.log.read_text()


def test_extra_tags_are_known(refuse: Refused, run_orthanc: RunOrthanc, tmp_path: Path) -> None:
    """A tag is refused in a layout, unless ExtraMainDicomTags has it."""
    layout = tmp_path / "mine.toml"
    layout.write_text(LAYOUT.format(title="mine", tag="PatientWeight"))
    assert_says(refuse({"Layouts": [str(layout)]}), f"{layout}:3: ", "PatientWeight")
    extra = {"ExtraMainDicomTags": {"Patient": ["PatientWeight"]}}
    with run_orthanc(davfs={"Layouts": [str(layout)]}, settings=extra) as server, WebDav(server.drive_url) as drive:
        assert "mine" in drive.listing()


@pytest.mark.parametrize("key", ["Spool", "Catalog"])
def test_folder_cannot_be_made(refuse: Refused, tmp_path: Path, key: str) -> None:
    """Where a file stands in the way, the message has the key, the folder and the reason."""
    (tmp_path / "file").touch()
    line = refuse({key: str(tmp_path / "file" / "below" / "it")})
    assert_says(line, f"Davfs.{key}", str(tmp_path / "file" / "below"), "cannot be made")


def test_spool_is_a_file(refuse: Refused, tmp_path: Path) -> None:
    """A file in place of the spool is named."""
    (tmp_path / "file").touch()
    assert_says(refuse({"Spool": str(tmp_path / "file")}), "Davfs.Spool", str(tmp_path / "file"), "cannot be made")


def test_catalog_is_a_folder(refuse: Refused, tmp_path: Path) -> None:
    """A folder in place of the catalog is named, and left alone."""
    (tmp_path / "folder").mkdir()
    assert_says(refuse({"Catalog": str(tmp_path / "folder")}), "Davfs.Catalog", str(tmp_path / "folder"))
    assert (tmp_path / "folder").is_dir()


def test_spool_or_catalog_in_use(
    plugin: Path, servers: list[OrthancProcess], refuse: Refused, run_orthanc: RunOrthanc, tmp_path: Path
) -> None:
    """Another Orthanc, or ``davfs serve``, gets neither spool nor catalog by any path, and is told who has it."""
    first = tmp_path / "first"
    links = {"Spool": tmp_path / "spool", "Catalog": tmp_path / "catalog"}
    links["Spool"].symlink_to(first / "storage" / "davfs" / "spool")
    links["Catalog"].symlink_to(first / "storage" / "davfs" / "catalog.sqlite")
    with OrthancServer(first, plugins=[plugin]) as server:
        servers.append(server)
        owner = f"which another drive uses: Orthanc, process {server.pid} on "
        for key, link in links.items():
            assert_says(refuse({key: str(link)}), f"Davfs.{key} is '{link}'", owner)
            with ServeProcess(tmp_path, server.url, f"--{key.lower()}", str(link)) as serve:
                serve.start()
                assert serve.end() == 2
                assert_says(serve.text, f"{key} is '{link}'", owner)
        server.kill()
        servers.remove(server)
    with run_orthanc(first) as again, WebDav(again.drive_url) as drive:
        assert "by-patient" in drive.listing()
