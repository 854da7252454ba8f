"""Prepares what the configuration names: layouts, and the folders of spool and catalog.

The check before Orthanc starts and the start itself both do this.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from davfs.errors import ConfigurationError
from davfs.layout import ExtraTags, HashKey, Layout, load_layout, shipped, shipped_names
from davfs.orthanc import postgresql
from davfs.orthanc.description import LEVELS
from davfs.settings import plugin
from davfs.settings.configuration import Configuration
from davfs.settings.layout_files import LayoutFiles

INBOX = "inbox"
SEARCH = "search"
TRASH = "trash"
_STUDY_LAYOUT = "by-study"


@dataclass(frozen=True, slots=True)
class Setup:
    """A configuration that the drive can start with.

    Attributes:
        settings: The drive's settings.
        layout_files: The layouts that they name.
        has_scripts: Scripts run in Orthanc, which may delete images as soon as they are stored; False if unknown.
        may_alter: Orthanc transcodes what it stores, or a plugin may change it; True if unknown.
        read_only: Orthanc refuses all changes (``ReadOnly``, since 1.12.5).
    """

    settings: Configuration
    layout_files: LayoutFiles
    has_scripts: bool = False
    may_alter: bool = True
    read_only: bool = False


def prepare(orthanc: Mapping[str, Any], path: str) -> Setup:
    """Prepare the drive of an Orthanc.

    Args:
        orthanc: Orthanc's whole configuration, as parsed JSON.
        path: Its file or folder, as it was given to Orthanc; empty for none.

    Raises:
        ConfigurationError: The administrator has to change something; the message says what.
    """
    settings = plugin.read_settings(orthanc, home(path))
    if settings.cluster:
        postgresql.check(orthanc)
    layout_files = load_layouts(settings, _extra_tags(orthanc))
    make_folders(settings)
    if not keeps_files(orthanc):
        settings = replace(settings, allow_upload=False)
    return Setup(settings, layout_files, has_scripts=bool(orthanc.get("LuaScripts") or orthanc.get("PythonScript")))


def keeps_files(orthanc: Mapping[str, Any]) -> bool:
    """Return True if Orthanc stores files; without ``StoreDicom`` it only indexes them."""
    return bool(orthanc.get("StoreDicom", True))


def make_folders(settings: Configuration) -> None:
    """Make the folders of the spool and the catalog.

    Raises:
        ConfigurationError: They cannot be made.
    """
    _make_folder("Davfs.Spool", settings.spool)
    _make_folder("Davfs.Catalog", settings.catalog.parent)
    _refuse_folder("Davfs.Catalog", settings.catalog)
    if settings.audit.enabled:
        _make_folder("Davfs.Audit.File", settings.audit.file.parent)
        _refuse_device("Davfs.Audit.File", settings.audit.file)


def layout_paths(settings: Configuration) -> tuple[Path, ...]:
    """Return the paths of the layout files that the settings name.

    Raises:
        ConfigurationError: There is no such layout.
    """
    return tuple(map(_layout_file, settings.layouts))


def load_layouts(settings: Configuration, extra: ExtraTags) -> LayoutFiles:
    """Load the layouts that the settings name; those with mistakes are left out.

    Args:
        settings: The drive's settings.
        extra: Tags that Orthanc keeps besides its usual ones, by level.

    Raises:
        ConfigurationError: There is no such layout, or all of them have mistakes.
    """
    key = HashKey(settings.hash_key.encode()) if settings.hash_key else None
    return LayoutFiles(layout_paths(settings), extra, key)


def study_layout() -> Layout:
    """Return the shipped layout with all studies in one folder."""
    return load_layout(_layout_file(_STUDY_LAYOUT))


def home(path: str) -> Path:
    """Return the folder of Orthanc's configuration, where its relative paths start."""
    absolute = Path(path or ".").absolute()
    return absolute if absolute.is_dir() else absolute.parent


def _make_folder(key: str, folder: Path) -> None:
    try:
        for missing in reversed([one for one in (folder, *folder.parents) if not one.exists()]):
            missing.mkdir(mode=0o700, exist_ok=True)  # mkdir(parents=True) would make those above with the umask
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"{key}: the folder '{folder}' cannot be made: {error.strerror}") from error


def _refuse_folder(key: str, file: Path) -> None:
    if file.is_dir():
        raise ConfigurationError(f"{key} is '{file}', which is a folder: it must be a file's path")


def _refuse_device(key: str, file: Path) -> None:
    if file.exists() and not file.is_file():
        raise ConfigurationError(f"{key} is '{file}', which is no ordinary file: it must be a file's path")


def _extra_tags(orthanc: Mapping[str, Any]) -> ExtraTags:
    extra = orthanc.get("ExtraMainDicomTags", {})
    return {LEVELS[name]: tags for name, tags in extra.items() if name in LEVELS}


def _layout_file(name: str) -> Path:
    if name.endswith(".toml"):
        if Path(name).is_absolute():
            return Path(name)
        raise ConfigurationError(f"Davfs.Layouts has {name!r}: a layout of your own needs its whole path")
    found = shipped(name)
    if found is None:
        known = ", ".join(shipped_names())
        raise ConfigurationError(f"Davfs.Layouts has {name!r}, and no such layout is shipped: there are {known}")
    return found
