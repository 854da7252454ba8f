"""Reads which instances were sent to Orthanc again, from the queue in native/sent_again.c."""

from _davfs_sdk import ffi, lib

_MOST = 500


class InstancesSentAgain:
    """The instances that Orthanc had already, or may have had, when they came; none of those that the drive imports."""

    def wait(self, seconds: float) -> None:
        """Wait until there is one, for so many seconds at most."""
        lib.davfs_take_sent_again(ffi.NULL, 0, int(seconds * 1000))

    def take(self) -> list[str]:
        """Return some of the identifiers, oldest first; none if there are none."""
        taken = ffi.new("davfs_sent_again[]", _MOST)
        found = lib.davfs_take_sent_again(taken, _MOST, 0)
        return [ffi.string(taken[at].instance).decode() for at in range(found)]

    def lost(self) -> int:
        """Return the number of those for which there was no room since the last call."""
        return int(lib.davfs_lost_sent_again())

    def close(self) -> None:
        """End all waiting."""
        lib.davfs_close_sent_again()
