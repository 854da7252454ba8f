"""Writes the configuration of an Orthanc for clients on this machine only."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from davfs.demo.ports import LOOPBACK
from davfs.settings.table import DEFAULT_PORT

_MODALITIES = ("DAVFS", "STORESCU", "PYNETDICOM")
"""AE titles that may send by C-STORE; Orthanc's DICOM port cannot be bound to loopback alone."""


def local_configuration(folder: Path, plugins: Sequence[Path]) -> dict[str, Any]:
    """Return the configuration of an Orthanc without passwords, whose data are in a folder."""
    storage = str(folder / "storage")
    return {
        "Name": "davfs",
        "StorageDirectory": storage,
        "IndexDirectory": storage,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomAlwaysAllowEcho": False,
        "DicomAlwaysAllowStore": False,
        "DicomCheckModalityHost": True,
        "DicomModalities": {title: [title, LOOPBACK, 104] for title in _MODALITIES},
        "Plugins": [str(path.resolve()) for path in plugins],
    }


def merged(base: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Merge ``overrides`` into a copy of ``base``, section by section."""
    result = dict(base)
    for key, value in overrides.items():
        both = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
        result[key] = merged(result[key], value) if both else value
    return result


def dav_port(davfs: Mapping[str, Any]) -> int | None:
    """Return the TCP port of the drive's own server; None if it is not enabled, or refused by the plugin."""
    server = davfs.get("Server")
    if not isinstance(server, Mapping) or server.get("Enabled") is not True:
        return None
    port = server.get("Port", DEFAULT_PORT)
    return port if isinstance(port, int) else None
