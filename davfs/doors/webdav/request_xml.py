"""Parses the XML of requests with the standard library's expat, in time and memory proportional to its length.

Each element's name contains its whole namespace, and responses repeat the names of the request: so the length of
namespaces and the number of elements are limited. Entities need a document type, which is refused (RFC 4918 §20.6).
"""

from collections.abc import Mapping
from http import HTTPStatus
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from davfs.doors.webdav.http_errors import HttpError

MOST_ELEMENTS = 1000
DEEPEST = 50
"""Elements inside each other; trees are written recursively."""
LONGEST_NAMESPACE = 1000
"""Characters of a namespace's name."""
_ENCODINGS = frozenset({"UTF-8", "UTF-16", "US-ASCII", "ISO-8859-1"})
"""Encodings of expat itself; the first two are those of RFC 4918 §8.2. Others would run a codec of Python."""


def parsed(body: bytes) -> Element:
    """Return the root element, without comments and processing instructions.

    Raises:
        HttpError: The body is not well-formed, has a document type, or has too many elements.
    """
    try:
        return _XmlParser().read(body)
    except expat.ExpatError as error:
        raise HttpError(HTTPStatus.BAD_REQUEST, "The body is no well-formed XML.") from error


class _XmlParser:
    """Parses one document."""

    def __init__(self) -> None:
        self._tree = TreeBuilder()
        self._elements = 0
        self._depth = 0
        self._parser = expat.ParserCreate(namespace_separator="}")
        self._parser.buffer_text = True
        self._parser.XmlDeclHandler = self._declaration
        self._parser.StartDoctypeDeclHandler = self._document_type
        self._parser.StartNamespaceDeclHandler = self._namespace
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._tree.data

    def read(self, body: bytes) -> Element:
        self._parser.Parse(body, True)  # noqa: FBT003  the standard library's
        return self._tree.close()

    def _declaration(self, version: str, encoding: str | None, standalone: int) -> None:  # noqa: ARG002  expat's form
        if encoding is not None and encoding.upper() not in _ENCODINGS:
            raise HttpError(HTTPStatus.BAD_REQUEST, "The body has to be in UTF-8 or UTF-16.")

    def _document_type(self, *declared: object) -> None:  # noqa: ARG002  expat's form
        raise HttpError(HTTPStatus.BAD_REQUEST, "The body has a document type, which is not allowed.")

    def _namespace(self, prefix: str | None, name: str | None) -> None:  # noqa: ARG002  expat's form
        if len(name or "") > LONGEST_NAMESPACE:
            raise _too_much("the name of a namespace is too long")

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        self._elements += 1
        self._depth += 1
        if self._elements > MOST_ELEMENTS or self._depth > DEEPEST:
            raise _too_much("it has too many elements, or too many inside each other")
        named = {_clark(key): value for key, value in attributes.items()} if attributes else {}
        self._tree.start(_clark(name), named)

    def _end(self, name: str) -> None:
        self._depth -= 1
        self._tree.end(name)  # not checked here: expat has checked it


def _clark(name: str) -> str:
    """Return a name in Clark's notation; expat writes ``}`` behind the namespace, but no ``{`` before it."""
    return f"{{{name}" if "}" in name else name


def _too_much(reason: str) -> HttpError:
    return HttpError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The body cannot be taken: {reason}.")
