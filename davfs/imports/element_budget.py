"""Limits the number of data elements in the files of a ZIP, which can unpack to millions of them."""

from davfs.elements.files import is_deflated
from davfs.elements.headers import SHORTEST_HEADER
from davfs.elements.walk import Walk
from davfs.errors import Refused


class ElementBudget:
    """Limits how many data elements the members of one ZIP may have, in proportion to their packed bytes.

    A blank image shrinks to a thousandth and is one element. A file with very many elements, such as an image of 10,000
    frames, has different ones, which shrink less: there is one element for each packed byte, at most.

    Args:
        each: Elements that are allowed for each packed byte.
        spare: Elements that are allowed on top of that, in all members together.
    """

    def __init__(self, each: int = 2, spare: int = 250_000) -> None:
        self._each = each
        self._spare = spare

    def check(self, content: memoryview, packed: int, walk: Walk | None = None) -> None:
        """Check the next member.

        Args:
            content: The member, unpacked.
            packed: Its bytes in the ZIP.
            walk: A walk through it that goes on afterwards; None for a new one.

        Raises:
            Refused: It has too many elements; then the next ones have nothing to spare.
        """
        allowed = self._each * packed
        if len(content) // SHORTEST_HEADER <= allowed and not is_deflated(content):
            return
        surplus = (walk or Walk(content)).count(allowed + self._spare + 1) - allowed
        if surplus > self._spare:
            self._spare = 0
            raise Refused("It unpacks to far more data elements than files of its packed size have.")
        self._spare -= max(0, surplus)
