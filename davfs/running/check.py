"""Checks a configuration: ``python -m davfs.running.check PATH < CONFIGURATION``.

native/configuration_check.c runs this before Orthanc opens its ports. PATH is that of Orthanc's configuration, the
input its merged content as JSON. Prints nothing and exits with 0, or prints one line about what to change and exits
with 1.
"""

import json
import sys

from davfs.errors import ConfigurationError
from davfs.running.auditing import audit_sinks
from davfs.settings import setup, state_folder


def main() -> int:
    """Check standard input; return the exit status."""
    try:
        settings = setup.prepare(json.load(sys.stdin), sys.argv[1]).settings
        with state_folder.locked(settings.spool, settings.catalog):
            audit_sinks(settings.audit)
    except ConfigurationError as error:
        print(" ".join(str(error).split()))  # noqa: T201  this is what it is for
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
