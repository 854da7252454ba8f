"""``davfs serve``: serves the drive beside an Orthanc."""

import logging
import os
import threading
import time

import typer

from davfs.commands import mounting, options
from davfs.commands.console import Announcement, Console
from davfs.commands.signals import until_signalled
from davfs.errors import ConfigurationError, OrthancError, Unavailable
from davfs.orthanc.system import ServerInfo
from davfs.running.standalone import Standalone
from davfs.settings.checks import is_loopback
from davfs.settings.configuration import ServerSettings
from davfs.settings.standalone import StandaloneConfiguration, read_settings

_TICK = 0.2
_REMIND = 60.0
_FAILED, _MISCONFIGURED = 1, 2  # 2 is also what the command line's own errors exit with

_log = logging.getLogger("davfs.serve")


@options.with_settings()
def serve(
    context: typer.Context, *, config: options.ConfigOption = None, verbose: options.VerboseOption = False
) -> None:
    """Serve the archive of an Orthanc as a network drive.

    An option wins over the environment, the environment over the file. Exits with 0 after SIGTERM or Ctrl-C, with 1
    where Orthanc did not answer in time, and with 2 where something has to be configured differently.
    """
    console = Console(os.environ, verbose=verbose)
    try:
        configuration = read_settings(options.checked_values(context, os.environ), config, os.environ)
        with until_signalled() as stopping:
            _run(configuration, console, stopping)
    except ConfigurationError as error:
        _log.error("%s", str(error).replace("Davfs.", ""))  # the keys have no section here
        raise typer.Exit(_MISCONFIGURED) from error
    except Unavailable as error:
        _log.error("%s; gave up after the time of --wait", error)
        raise typer.Exit(_FAILED) from error


def _run(configuration: StandaloneConfiguration, console: Console, stopping: threading.Event) -> None:
    drive = Standalone(configuration)
    try:
        drive.listen()
        warn(configuration)
        found = drive.find_orthanc(stopping, _Reminder(configuration.orthanc.url))
        if found:
            folders = drive.open(found)
            if drive.is_open() and not is_loopback(configuration.drive.server.address):
                _log.warning("Orthanc asks for no password: everybody who reaches this address sees all patients")
            console.announce(_announcement(configuration, found, folders))
            _follow_index(drive, console, stopping)
            stopping.wait()
        _log.info("stopping, once the requests under way have ended")
    finally:
        console.quiet()
        if not drive.stop():
            _log.warning("some requests did not end in time, and were given up")
    _log.info("stopped")


def _follow_index(drive: Standalone, console: Console, stopping: threading.Event) -> None:
    while (progress := drive.progress()) and not stopping.wait(_TICK):
        console.indexing(*progress, now=time.monotonic())
    console.quiet()


class _Reminder:
    """Logs that Orthanc does not answer: at once, and then every minute."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._next = 0.0

    def __call__(self, error: OrthancError) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _REMIND
            _log.warning("waiting for Orthanc at %s: %s", self._url, error)


def _announcement(configuration: StandaloneConfiguration, found: ServerInfo, folders: tuple[str, ...]) -> Announcement:
    settings = configuration.drive
    url = _url(settings.server)
    inbox = "inbox/ takes files" if settings.allow_upload else "inbox/ takes no files"
    deleting = "nothing can be deleted in Orthanc"
    if settings.allow_delete:
        deleting = "deleting deletes in Orthanc" if settings.delete_for_good else "what is deleted is put into trash/"
    return Announcement(
        orthanc=f"{found.name} {found.version} at {configuration.orthanc.url}".strip(),
        layouts=", ".join(folders),
        writing=f"{inbox}, {deleting}",
        url=url,
        mount=mounting.command(mounting.this_system(), mounting.DriveUrl.parse(url)),
    )


def _url(server: ServerSettings) -> str:
    """Return the URL of the server for clients on this machine."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(server.address, server.address)  # noqa: S104  to compare
    host = f"[{host}]" if ":" in host and not host.startswith("[") else host
    return f"{'https' if server.certificate else 'http'}://{host}:{server.port}/"


def warn(configuration: StandaloneConfiguration) -> None:
    """Log a warning for each setting that is less safe than it could be."""
    server = configuration.drive.server
    if not is_loopback(server.address) and not server.certificate:
        _log.warning("images and passwords cross the network unencrypted: give the server a certificate")
    if configuration.orthanc.url.startswith("https:") and not configuration.orthanc.verify_peer:
        _log.warning("Orthanc's certificate is not verified: an attacker on the network can read and change everything")
