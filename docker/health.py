"""Tells Docker whether a server is well: ``health.py METHOD URL`` exits with 0 when the answer is a good one.

Where the environment has a password, that of Orthanc's image, it is sent along. A certificate is not checked: the
request stays inside the container, and the certificate has the name of the machine outside.
"""
# ruff: noqa: INP001 - a script

import base64
import os
import ssl
import sys
import urllib.request
from pathlib import Path

SECONDS = 5


def main(method: str, url: str) -> int:
    """Send one request; return the exit status."""
    request = urllib.request.Request(url, method=method, headers={"Depth": "0"} | credentials())  # noqa: S310  our own
    unchecked = urllib.request.HTTPSHandler(context=ssl._create_unverified_context())  # noqa: S323, SLF001  see above
    direct = urllib.request.ProxyHandler({})  # Docker hands its own proxy to every container
    try:
        with urllib.request.build_opener(direct, unchecked).open(request, timeout=SECONDS):
            return 0
    except OSError as error:
        print(f"{method} {url}: {error}")  # noqa: T201  Docker keeps it
        return 1


def credentials() -> dict[str, str]:
    """Return the header with the user and the password that the environment has."""
    file = os.environ.get("ORTHANC_PASSWORD_FILE")
    password = Path(file).read_text().rstrip("\n") if file else os.environ.get("ORTHANC_PASSWORD")
    if not password:
        return {}
    pair = f"{os.environ.get('ORTHANC_USER') or 'orthanc'}:{password}".encode()
    return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
