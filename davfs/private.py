"""Makes files with patients' names readable for their owner only, regardless of the umask."""

import os
import stat
from contextlib import suppress
from pathlib import Path

_MODE = 0o600
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def make_private(file: Path, *, create: bool = True) -> None:
    """Create an empty file that only its owner can read, or remove the rights of others from an existing one.

    An existing file is not opened, since closing it would release the locks that SQLite holds on it in this process
    (https://sqlite.org/howtocorrupt.html, section 2.2). Errors are ignored: opening the file next raises the same one.

    Args:
        file: The file; symbolic links are followed.
        create: False to change an existing file only.
    """
    with suppress(OSError):
        if create:
            with suppress(FileExistsError):
                os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE))
        if stat.S_IMODE(file.stat().st_mode) & _OTHERS:
            file.chmod(_MODE)
