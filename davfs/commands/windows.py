r"""The steps to mount a drive on Windows: its WebClient service, and the limits in the registry.

All values are below ``HKLM\SYSTEM\CurrentControlSet\Services\WebClient\Parameters``:

============================  ============  ==========================================================================
value                         default       meaning
============================  ============  ==========================================================================
FileSizeLimitInBytes          50 000 000    the largest file; at most 4 294 967 295, since it has 32 bits
FileAttributesLimitInBytes    1 000 000     the largest listing of a folder: about 1 000 files with their properties
BasicAuthLevel                1             passwords in Basic: 0 never, 1 over HTTPS only, 2 over plain HTTP as well
============================  ============  ==========================================================================

Sources: "WebDAV Redirector Registry Settings" by R. McMurray of Microsoft,
https://blogs.iis.net/robert_mcmurray/webdav-redirector-registry-settings; for Basic, article 841215 of Microsoft's
knowledge base, and 310516 for the file.
"""

from pathlib import Path

_KEY = r"HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services\WebClient\Parameters"
_LARGEST_FILE = 0xFFFFFFFF
_LARGEST_LISTING = 20_000_000
_BASIC_OVER_HTTPS = 1
_BASIC_ALWAYS = 2


def steps(url: str, host: str, port: int, path: str, *, secure: bool) -> str:
    """Return all steps on Windows.

    Args:
        url: The URL of the drive; the other arguments are its parts.
        host: Name or address of the server.
        port: TCP port.
        path: Path of the drive on that server.
        secure: True for HTTPS.
    """
    unc = rf"\\{host}{'@SSL' if secure else ''}@{port}\DavWWWRoot{path.rstrip('/').replace('/', chr(92))}"
    return rf"""Windows
  1. Once, as administrator, let the WebClient service run, and raise its limits. "davfs mount-help --os windows
     --url {url} --reg-file webdav.reg" writes a file for the latter: double-click on it. Then, in a command prompt:
         sc config WebClient start= auto
         net stop WebClient
         net start WebClient
     Windows Server has to have the service first:  Install-WindowsFeature WebDAV-Redirector -Restart
  2. Explorer > This PC > Map network drive, and type the address; or in a command prompt of your own:
         net use * {url} /user:USER * /persistent:yes
         net use Z: /delete
     without "/user:USER *" where Orthanc asks for no password. Programs also take  {unc}

What the registry file changes, in {_KEY}:
  FileSizeLimitInBytes        larger files than this cannot be copied. Usually 50 MB; here 4 GB, which is the end.
  FileAttributesLimitInBytes  folders with a longer listing than this stay empty. Usually 1 MB, about 1000 files;
                              here 20 MB.
  BasicAuthLevel              {_basic(secure=secure)}"""


def _basic(*, secure: bool) -> str:
    if secure:
        return "passwords are sent over HTTPS only (1), as usual."
    return """passwords are sent over plain HTTP as well (2), where everybody on the way can read them.
                              Usually over HTTPS only (1): better give the server a certificate."""


def write_registry_file(file: Path, *, secure: bool) -> None:
    """Write a registry file, which sets the values when it is opened.

    Args:
        file: Path of the file; an existing one is replaced.
        secure: True for HTTPS; otherwise passwords are allowed over plain HTTP.

    Raises:
        OSError: The file cannot be written.
    """
    lines = (
        "Windows Registry Editor Version 5.00",
        "",
        "; Large files and folders over WebDAV. Restart the WebClient service afterwards.",
        f"[{_KEY}]",
        f'"FileSizeLimitInBytes"=dword:{_LARGEST_FILE:08x}',
        f'"FileAttributesLimitInBytes"=dword:{_LARGEST_LISTING:08x}',
        "; 1: passwords over HTTPS only. 2: over plain HTTP as well, where everybody on the way can read them.",
        f'"BasicAuthLevel"=dword:{_BASIC_OVER_HTTPS if secure else _BASIC_ALWAYS:08x}',
        "",
    )
    file.write_bytes("\r\n".join(lines).encode("utf-16"))
