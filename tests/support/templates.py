"""Templates of layouts in one step, for tests of what they make of a value."""

from davfs.layout import parse_template
from davfs.orthanc.model import Level, OrthancId

ID = OrthancId("01234567-89abcdef-01234567-89abcdef-01234567")


def render(template: str, level: Level = Level.SERIES, **tags: str) -> str:
    """Render a template in one step."""
    return parse_template(template, level).render(tags, ID)
