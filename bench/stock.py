"""WsgiDAV as it comes, with its own file system provider on cheroot: a peer of door 2.

Usage: python bench/stock.py FOLDER PORT
"""

import logging
import sys

from cheroot import wsgi
from wsgidav.wsgidav_app import WsgiDAVApp

from davfs.demo.ports import LOOPBACK

THREADS = 32
"""As many as door 2 has."""


def main() -> None:
    """Serve a folder until the process is ended."""
    _, folder, port = sys.argv
    logging.getLogger("wsgidav").addHandler(logging.NullHandler())
    settings = {
        "provider_mapping": {"/": folder},
        "simple_dc": {"user_mapping": {"*": True}},
        "logging": {"enable": False},
        "verbose": 0,
    }
    wsgi.Server((LOOPBACK, int(port)), WsgiDAVApp(settings), numthreads=THREADS, request_queue_size=128).start()


if __name__ == "__main__":
    main()
