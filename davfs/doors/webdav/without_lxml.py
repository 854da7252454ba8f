"""Lets WsgiDAV handle XML with the standard library, also where lxml is installed. Imported before WsgiDAV itself.

Inside Orthanc, lxml's own copy of libxml2 is not the one that it calls: Debian's, which DCMTK has loaded, comes first,
and is another version with another ABI (docs/adr/0015-c-extensions.md). WsgiDAV prefers lxml, has no setting for that,
and goes on without it where it cannot be imported; so while WsgiDAV chooses, it cannot.
"""

import sys
from xml.etree.ElementTree import register_namespace

from davfs.errors import ConfigurationError

_LXML = "lxml"
_PREFIX = "D"


def _choose() -> None:
    """Let WsgiDAV choose its XML library.

    Raises:
        ConfigurationError: It has been imported in this process before, and has chosen lxml.
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
