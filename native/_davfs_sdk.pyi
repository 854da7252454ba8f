# The module that libOrthancDavfs.so embeds; it exists inside Orthanc only.

from typing import Any

ffi: Any
lib: Any
