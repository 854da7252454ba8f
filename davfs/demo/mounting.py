"""What a person reads once the drive is there."""

from urllib.parse import urlsplit

_TEXT = """\
The drive is at  {url}
  by-patient/    patients, studies, series and their DICOM files
  inbox/         drop DICOM files, or ZIPs of them, here: they are imported
  README.txt     what this drive is, and what can be written where

Mount it here:
  GNOME Files    Other Locations > Connect to Server:  dav://{place}
  davfs2         sudo mount -t davfs -o conf=davfs2.conf {url} /mnt
                 with "ask_auth 0", "use_locks 0" and "buf_size 256" on lines of davfs2.conf
  rclone         rclone copy ":webdav,url='{url}':by-patient" local-folder
  cadaver        cadaver {url}
  curl           curl -H Expect: -T image.dcm {url}inbox/

Mount it from a Mac or from Windows, through a tunnel: this demo answers its own machine alone
  tunnel         ssh -L {port}:127.0.0.1:{port} THIS-MACHINE
  Finder         Go > Connect to Server:  {url}
  Explorer       This PC > Map network drive:  {url}

Orthanc itself   {orthanc}  (log: {log})
Ctrl-C stops it. Its data stay in {folder}."""


def how_to_mount(drive_url: str, orthanc_url: str, folder: str, log: str) -> str:
    """Return the text that ``make run`` prints.

    Args:
        drive_url: The address to mount, with a slash at its end.
        orthanc_url: Orthanc's own address.
        folder: Where the data are kept.
        log: Orthanc's log.
    """
    parts = urlsplit(drive_url)
    return _TEXT.format(
        url=drive_url,
        place=f"{parts.netloc}{parts.path}",
        port=parts.port,
        orthanc=orthanc_url,
        folder=folder,
        log=log,
    )
