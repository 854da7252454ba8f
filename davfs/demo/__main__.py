"""``make run``: Orthanc with the drive and some real DICOM files, in the foreground until Ctrl-C.

Ports come from ``ORTHANC_PORT`` (8042), ``DAV_PORT`` (8043) and ``DICOM_PORT`` (4242) in the environment.
"""

import os
import signal
import sys
from argparse import ArgumentParser
from itertools import combinations
from pathlib import Path

from davfs.demo.mounting import how_to_mount
from davfs.demo.ports import free_ports
from davfs.demo.process import OrthancFailed, OrthancProcess, PortTaken
from davfs.demo.samples import import_samples
from davfs.errors import ConfigurationError, DavfsError
from davfs.settings.table import DEFAULT_PORT

VARIABLES = {"HTTP": "ORTHANC_PORT", "DICOM": "DICOM_PORT", "DAV": "DAV_PORT"}
DEFAULTS = {"HTTP": 8042, "DICOM": 4242, "DAV": DEFAULT_PORT}
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
HIGHEST_PORT = 65535


def main() -> int:
    """Run the demo and return its exit code: 0 after Ctrl-C, 1 if Orthanc fails."""
    parser = ArgumentParser(prog="python -m davfs.demo", description=__doc__)
    parser.add_argument("--plugin", type=Path, required=True, help="libOrthancDavfs.so")
    parser.add_argument("--folder", type=Path, default=Path("run"), help="where the data are kept (run)")
    options = parser.parse_args()
    for number in SIGNALS:
        signal.signal(number, signal.default_int_handler)  # as Ctrl-C, so that Orthanc is never left behind
    try:
        return run(options.plugin, options.folder)
    except PortTaken as error:
        return print_error(f"{error}.\n{advice(error)}")
    except DavfsError as error:
        return print_error(str(error))
    except KeyboardInterrupt:
        return 0  # while Orthanc started: it was stopped again


def run(plugin: Path, folder: Path) -> int:
    """Serve the drive until SIGINT, SIGTERM or SIGHUP, and return the exit code.

    Raises:
        ConfigurationError: A port is no number, or two are the same.
        PortTaken: Another program listens on one of the ports.
        OrthancFailed: Orthanc did not start, or ended by itself.
        OrthancError: The sample files could not be imported.
    """
    ports = chosen_ports()
    orthanc = OrthancProcess(
        folder,
        plugins=[plugin],
        davfs={"Server": {"Enabled": True, "Port": ports["DAV"]}},
        settings={"HttpPort": ports["HTTP"], "DicomPort": ports["DICOM"]},
    )
    orthanc.start()
    try:
        serve(orthanc)
    except KeyboardInterrupt:
        print("\nstopping Orthanc …", flush=True)
    finally:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not leave Orthanc behind
        orthanc.stop()
    return print_error("Orthanc did not stop, and was killed") if orthanc.killed else 0


def serve(orthanc: OrthancProcess) -> None:
    """Import the samples, print how to mount the drive, and wait.

    Raises:
        OrthancFailed: Orthanc ended by itself.
        OrthancError: The sample files could not be imported.
    """
    first_import(orthanc)
    print(how_to_mount(orthanc), flush=True)
    code = orthanc.wait()
    raise OrthancFailed(f"Orthanc ended by itself, with exit code {code}. Its log:\n{orthanc.log_tail()}")


def first_import(orthanc: OrthancProcess) -> None:
    """Import the sample files once; those that users delete later are not imported again."""
    done = orthanc.folder / "samples-imported"
    if done.exists():
        return
    taken = import_samples(orthanc.url, show_progress)
    print(f"\r{taken} sample files of pydicom imported", flush=True)
    done.touch()


def show_progress(done: int, total: int) -> None:
    """Print the progress of the import, if this is a terminal."""
    if sys.stdout.isatty():
        print(f"\rimporting sample files: {done} of {total}", end="", flush=True)


def chosen_ports() -> dict[str, int]:
    """Return the TCP ports by purpose.

    Raises:
        ConfigurationError: One is no port number, or two are the same.
    """
    ports = {purpose: port(variable, DEFAULTS[purpose]) for purpose, variable in VARIABLES.items()}
    for one, other in combinations(ports, 2):
        if ports[one] == ports[other]:
            both = f"{VARIABLES[one]} and {VARIABLES[other]}"
            raise ConfigurationError(f"{both} are both {ports[one]}, and each should be a port of its own")
    return ports


def port(variable: str, default: int) -> int:
    """Return the TCP port that an environment variable names.

    Raises:
        ConfigurationError: It is no port number.
    """
    value = os.environ.get(variable) or str(default)
    if not value.isdecimal() or not 0 < int(value) <= HIGHEST_PORT:
        raise ConfigurationError(f"{variable} is {value!r}, and should be a port number from 1 to {HIGHEST_PORT}")
    return int(value)


def advice(taken: PortTaken) -> str:
    """Return advice about ports that are taken."""
    others = zip(taken.ports, free_ports(len(taken.ports)), strict=True)
    assignments = " ".join(f"{VARIABLES[purpose]}={free}" for purpose, free in others)
    other_ports = f"make run {assignments}"
    if taken.ports.keys() == {"DAV"}:
        return f"Take another port:  {other_ports}"
    return (
        "If that is Debian's own Orthanc service:  sudo systemctl stop orthanc\n"
        f"Or take other ports:                      {other_ports}"
    )


def print_error(message: str) -> int:
    """Print an error to standard error, and return the exit code."""
    print(f"davfs: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
