"""Files that hold patients' names are for their owner alone, whatever the umask of whoever started this process."""

import os
import stat
from contextlib import suppress
from pathlib import Path

_MODE = 0o600
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def make_private(file: Path, *, create: bool = True) -> None:
    """Make an empty file that only its owner can read, or take the rights of others away from one that is there.

    A file that is there is not opened: to close it would end the locks that SQLite holds on it in this process
    (https://sqlite.org/howtocorrupt.html, section 2.2). Nothing is raised where its mode cannot be changed: whoever
    opens it next meets the same error.

    Args:
        file: The file; of a symbolic link, that to which it leads.
        create: Whether it is made where it is not there.
    """
    with suppress(OSError):
        if create:
            with suppress(FileExistsError):
                os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE))
        if stat.S_IMODE(file.stat().st_mode) & _OTHERS:
            file.chmod(_MODE)
