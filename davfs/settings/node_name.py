"""Names a drive among those on one database, so that drives that show different folders notice each other.

The name is that of the connection to the database (``application_name``), which every user of the database can read.
"""

import hashlib
import socket
from dataclasses import replace

from davfs.settings.layout_files import LayoutFiles, LoadedLayouts

_COST = 2**14
"""scrypt's: the digest covers the key of pseudonyms, which nobody is to find by trying."""
_BYTES = 4


class NodeName:
    """The name of this drive's connection: ``davfs``, a digest of what it shows, and this machine's name.

    Args:
        files: The layouts, with the key of pseudonyms.
        trash: Number of the metadata of studies that says what is in the trash, and so is not shown.
    """

    def __init__(self, files: LayoutFiles, trash: int) -> None:
        self._files = files
        self._trash = trash
        self._named: LoadedLayouts | None = None
        self._name = ""

    def __call__(self) -> str:
        """Return the name by the layouts that are in force now."""
        loaded = self._files.loaded
        if loaded is not self._named:
            shown = sorted(repr(replace(layout, description="", file="")) for layout in loaded.layouts)
            shown.append(str(self._trash))
            digest = hashlib.scrypt("\0".join(shown).encode(), salt=b"davfs", n=_COST, r=8, p=1, dklen=_BYTES)
            self._named, self._name = loaded, f"davfs {digest.hex()} {socket.gethostname()}"
        return self._name
