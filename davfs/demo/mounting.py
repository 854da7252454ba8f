"""The text that ``make run`` prints once the drive is open."""

import shlex
import sys
from pathlib import Path

from davfs.commands import mounting
from davfs.demo.process import OrthancProcess

_TEXT = """\
The drive is at  {server}
  by-patient/    patients, studies, series and their DICOM files
  inbox/         drop DICOM files, or ZIPs of them, here: they are imported
  README.txt     what this drive is, and what can be written where

Open it in a browser, or mount it with Finder, Explorer, GNOME, KDE, davfs2 or rclone
  here           {command}
  all steps      {help} --url {server}
                 for another system than this one, add --os {systems}
  from afar      ssh -L {port}:127.0.0.1:{port} THIS-MACHINE
                 and then the same address: this demo answers its own machine alone

The same drive   {drive}
  on Orthanc's own port, where no other can be reached; copy whole folders out, and open the files there
  all steps      {help} --url {drive}

Orthanc itself   {orthanc}  (log: {log})
Ctrl-C stops it. Its data stay in {folder}."""


def how_to_mount(orthanc: OrthancProcess) -> str:
    """Return the text for an Orthanc with both doors."""
    return _TEXT.format(
        server=orthanc.server_url,
        port=orthanc.dav_port,
        drive=orthanc.drive_url,
        command=mounting.command(mounting.this_system(), mounting.DriveUrl.parse(orthanc.server_url)),
        help=f"{_python()} -m davfs mount-help",
        systems="|".join(mounting.System),
        orthanc=orthanc.url,
        log=orthanc.log,
        folder=orthanc.folder,
    )


def _python() -> str:
    """Return the command of this interpreter: ``.venv/bin/python`` if make has started it."""
    program, here = Path(sys.executable), Path.cwd()
    return shlex.quote(str(program.relative_to(here) if program.is_relative_to(here) else program))
