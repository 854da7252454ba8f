"""Programs and plugins that the benchmark needs: all that are missing are named before anything is measured."""

import os
import shutil
from pathlib import Path

_PROGRAMS = {"Orthanc": "orthanc", "rclone": "rclone", "wrk": "wrk", "git": "git"}
"""Programs, and the Debian packages that have them."""


def missing(*libraries: Path) -> list[str]:
    """Return a line for each thing that is missing, with the command that makes it.

    Args:
        libraries: Plugins that `make bench` builds.
    """
    path = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin"
    programs = [
        f"{program} is not installed: apt-get install {package} (make bench does so)"
        for program, package in _PROGRAMS.items()
        if shutil.which(program, path=path) is None
    ]
    return programs + [f"no such plugin: {each} (make bench builds it)" for each in libraries if not each.exists()]
