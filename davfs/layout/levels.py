"""``[[level]]``: the folders and files of a layout, from the top down."""

from dataclasses import dataclass
from typing import Any

from davfs import names
from davfs.confidentiality.options import Options
from davfs.errors import LayoutError
from davfs.layout.anonymity import restricted
from davfs.layout.model import ExtraFile, ExtraFileKind, LayoutLevel
from davfs.layout.position import Key
from davfs.layout.profile import OPTIONS
from davfs.layout.source import Source
from davfs.layout.syntax import parse, parse_file, parse_group
from davfs.layout.tags import ExtraTags
from davfs.layout.template import Template
from davfs.layout.text import HashKey, TemplateError
from davfs.orthanc.model import Level

RESOURCES = {level.name.lower(): level for level in Level}
GROUP = "group"
FILES = "files"
KINDS = (*RESOURCES, GROUP)
BELOW_LEVEL = dict.fromkeys((*KINDS, FILES), "below [[level]]")
"""The keys of a level, for those who write them elsewhere."""

TOP = dict.fromkeys(("title", "description", "dates", "anonymised", *OPTIONS), "above the first [[level]] and [where]")
"""The keys of a layout that are no tables, for those who write them in one."""


CONTENTS = {
    Level.PATIENT: (ExtraFileKind.ZIP, ExtraFileKind.JSON),
    Level.STUDY: (ExtraFileKind.ZIP, ExtraFileKind.JSON, ExtraFileKind.PREVIEW, ExtraFileKind.REPORT),
    Level.SERIES: (ExtraFileKind.ZIP, ExtraFileKind.JSON, ExtraFileKind.PREVIEW),
}
"""Kinds of extra files that there can be in the folder of a resource."""


@dataclass(frozen=True, slots=True)
class Levels:
    """Reads the levels of a layout.

    Attributes:
        source: The layout's file.
        extra: Tags that Orthanc keeps besides its usual ones, by level.
        key: The key of hashes; None where there is none.
        options: What an anonymised layout keeps; None where nothing has to be hidden.
    """

    source: Source
    extra: ExtraTags
    key: HashKey | None
    options: Options | None

    def read(self) -> tuple[LayoutLevel, ...]:
        """Return the levels.

        Raises:
            LayoutError: One is wrong, or they cannot stand in this order.
        """
        tables = self._tables()
        kinds = [self._kind(index, table) for index, table in enumerate(tables)]
        self._check_order(kinds)
        return tuple(self._level(index, table, kinds) for index, table in enumerate(tables))

    def _tables(self) -> list[dict[str, Any]]:
        tables = self.source.document.get("level")
        if tables is None or tables == []:
            reason = 'there is no level; write [[level]] and below it patient = "{PatientID}"'
            raise LayoutError(reason, self.source.file)
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            raise self.source.error("levels are written with double brackets, [[level]], one for each", ("level",))
        return tables

    def _kind(self, index: int, table: dict[str, Any]) -> str:
        place: Key = ("level", index)
        self.source.check_keys("level", place, table, (*KINDS, FILES), TOP)
        found = [key for key in table if key != FILES]
        if len(found) != 1:
            listed = " and ".join(found) or "nothing"
            reason = f"a [[level]] names one resource or a group, this one {listed}; write one of {', '.join(KINDS)}"
            raise self.source.error(reason, (*place, *found[1:2]))
        if not isinstance(table[found[0]], str):
            raise self.source.error(f'a template is text; write {found[0]} = "…"', (*place, found[0]))
        return found[0]

    def _check_order(self, kinds: list[str]) -> None:
        above = ""
        for index, kind in enumerate(kinds):
            if above == "instance":
                self._refuse(index, kind, "nothing can stand below the files of the instances")
            if kind == GROUP:
                continue
            if above and KINDS.index(kind) <= KINDS.index(above):
                order = ", ".join(RESOURCES)
                self._refuse(index, kind, f"{kind} cannot stand below {above}; the order is {order}, each once")
            above = kind
        if kinds[-1] == GROUP:
            below = ", ".join(kind for kind in RESOURCES if not above or KINDS.index(kind) > KINDS.index(above))
            self._refuse(
                len(kinds) - 1, GROUP, f"the last level is a group of nothing; below it belongs one of {below}"
            )

    def _refuse(self, index: int, kind: str, reason: str) -> None:
        raise self.source.error(reason, ("level", index, kind))

    def _level(self, index: int, table: dict[str, Any], kinds: list[str]) -> LayoutLevel:
        kind = kinds[index]
        over = RESOURCES[next(below for below in kinds[index:] if below != GROUP)]
        if kind == GROUP and over is Level.INSTANCE:
            over = Level.SERIES  # the index has no instances
        try:
            read = parse_group if kind == GROUP else parse
            template = self._checked(read(table[kind], over, self.extra, self.key))
        except TemplateError as error:
            raise self.source.error(f"{kind}: {error}", ("level", index, kind), table[kind]) from error
        return LayoutLevel(RESOURCES.get(kind), over, template, self._files(index, table, kind))

    def _files(self, index: int, table: dict[str, Any], kind: str) -> tuple[ExtraFile, ...]:
        texts = table.get(FILES, [])
        key: Key = ("level", index, FILES)
        level = RESOURCES.get(kind)
        if FILES in table and level not in CONTENTS:
            owners = ", ".join(level.name.lower() for level in CONTENTS)
            raise self.source.error(f"a level of {kind} has no files of its own; {owners} can have some", key)
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise self.source.error(f'files is a list of names; write files = ["{kind}.zip", "{kind}.json"]', key)
        seen: dict[str, str] = {}
        for text in texts:
            if seen.setdefault(names.folded(text.strip()), text) is not text:
                raise self.source.error(f'files: "{text}" is there twice; each file needs a name of its own', key, text)
        return tuple(self._file(text, level, key) for text in texts if level)

    def _checked(self, template: Template) -> Template:
        if self.options is None or self.key is None:
            return template
        return restricted(template, self.options, self.key)

    def _file(self, text: str, level: Level, key: Key) -> ExtraFile:
        try:
            template = self._checked(parse_file(text, level, self.extra, self.key))
        except TemplateError as error:
            raise self.source.error(f"files: {error}", key, text) from error
        contents = {f".{content.value}": content for content in CONTENTS[level]}
        content = contents.get(template.extension.lower())
        if self.options is not None and content not in {None, ExtraFileKind.ZIP}:
            allowed = f"write {level.name.lower()}.zip, whose DICOM files are anonymised too"
            raise self.source.error(f'files: "{text}" shows what an anonymised layout hides; {allowed}', key, text)
        if content is None or not template.pieces:
            allowed = ", ".join(f"{level.name.lower()}{ending}" for ending in contents)
            reason = (
                f'files: "{text}" does not tell what it holds; in the folder of a {level.name.lower()} there can be'
            )
            raise self.source.error(f"{reason} {allowed}", key, text)
        return ExtraFile(content, template)
