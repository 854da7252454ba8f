"""Makes WsgiDAV parse XML with the standard library, also where lxml is installed. Imported before WsgiDAV itself.

Inside Orthanc, lxml would call Debian's libxml2, which DCMTK has loaded, in place of its own copy; that is another
version with another ABI (docs/adr/0015-c-extensions.md). WsgiDAV prefers lxml without a setting, and falls back to the
standard library if lxml cannot be imported; so it is made impossible to import while WsgiDAV chooses.
"""

import sys
from xml.etree.ElementTree import register_namespace

from davfs.errors import ConfigurationError

_LXML = "lxml"
_PREFIX = "D"


def _choose() -> None:
    """Import WsgiDAV's choice of its XML library, with lxml hidden.

    Raises:
        ConfigurationError: WsgiDAV was imported before, and has chosen lxml.
    """
    absent = object()
    installed = sys.modules.get(_LXML, absent)
    sys.modules[_LXML] = None  # type: ignore[assignment]  # documented: an import of it then fails
    try:
        from wsgidav import xml_tools  # noqa: PLC0415
    finally:
        if installed is absent:
            del sys.modules[_LXML]
        else:
            sys.modules[_LXML] = installed  # type: ignore[assignment]
    if xml_tools.use_lxml:
        reason = "WsgiDAV uses lxml, which is not safe inside Orthanc: another script has imported WsgiDAV before"
        raise ConfigurationError(reason)


_choose()
register_namespace(_PREFIX, "DAV:")  # some clients look for the prefix, as they have seen it everywhere
