"""Parses ``[[level]]``: the folders and files of a layout, from the top down."""

from dataclasses import dataclass
from typing import Any

from davfs import names
from davfs.confidentiality.options import Options
from davfs.errors import LayoutError
from davfs.layout.anonymised_templates import restrict
from davfs.layout.document import LayoutDocument
from davfs.layout.model import ExtraFile, ExtraFileKind, LayoutLevel
from davfs.layout.profile import OPTIONS
from davfs.layout.syntax import parse_file_template, parse_group_template, parse_template
from davfs.layout.tags import ExtraTags
from davfs.layout.template import Template
from davfs.layout.text import HashKey, TemplateError
from davfs.layout.toml_lines import TomlPath
from davfs.orthanc.model import Level

RESOURCES = {level.name.lower(): level for level in Level}
GROUP = "group"
FILES = "files"
KINDS = (*RESOURCES, GROUP)
BELOW_LEVEL = dict.fromkeys((*KINDS, FILES), "below [[level]]")
"""The place of the keys of a level, for the error of one that is elsewhere."""

TOP = dict.fromkeys(("title", "description", "dates", "anonymised", *OPTIONS), "above the first [[level]] and [where]")
"""The place of the keys that are no tables, for the error of one that is in a table."""


EXTRA_FILE_KINDS = {
    Level.PATIENT: (ExtraFileKind.ZIP, ExtraFileKind.JSON, ExtraFileKind.CHECKSUMS),
    Level.STUDY: (
        ExtraFileKind.ZIP,
        ExtraFileKind.JSON,
        ExtraFileKind.PREVIEW,
        ExtraFileKind.REPORT,
        ExtraFileKind.CHECKSUMS,
    ),
    Level.SERIES: (ExtraFileKind.ZIP, ExtraFileKind.JSON, ExtraFileKind.PREVIEW, ExtraFileKind.CHECKSUMS),
}
"""Kinds of extra files in the folder of a resource."""


@dataclass(frozen=True, slots=True)
class LevelParser:
    """Parses the levels of a layout.

    Attributes:
        source: The layout's file.
        extra: Extra tags in Orthanc's index, by level.
        key: The key of hashes, if there is one.
        options: The options of an anonymised layout; None for any other layout.
    """

    source: LayoutDocument
    extra: ExtraTags
    key: HashKey | None
    options: Options | None

    def parse(self) -> tuple[LayoutLevel, ...]:
        """Parse the levels.

        Raises:
            LayoutError: One has a mistake, or they are in the wrong order.
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
        place: TomlPath = ("level", index)
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
        tag_level = RESOURCES[next(below for below in kinds[index:] if below != GROUP)]
        if kind == GROUP and tag_level is Level.INSTANCE:
            tag_level = Level.SERIES  # the index has no instances
        try:
            parse = parse_group_template if kind == GROUP else parse_template
            template = self._checked(parse(table[kind], tag_level, self.extra, self.key))
        except TemplateError as error:
            raise self.source.error(f"{kind}: {error}", ("level", index, kind), table[kind]) from error
        files = self._files(index, table, kind)
        if kinds[-1] != "instance" and any(file.kind is ExtraFileKind.CHECKSUMS for file in files):
            reason = "files: a list of checksums is about the files of a level of instances, which this layout has not"
            raise self.source.error(reason, ("level", index, FILES))
        return LayoutLevel(RESOURCES.get(kind), tag_level, template, files)

    def _files(self, index: int, table: dict[str, Any], kind: str) -> tuple[ExtraFile, ...]:
        texts = table.get(FILES, [])
        key: TomlPath = ("level", index, FILES)
        level = RESOURCES.get(kind)
        if FILES in table and level not in EXTRA_FILE_KINDS:
            owners = ", ".join(level.name.lower() for level in EXTRA_FILE_KINDS)
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
        return restrict(template, self.options, self.key)

    def _file(self, text: str, level: Level, key: TomlPath) -> ExtraFile:
        try:
            template = self._checked(parse_file_template(text, level, self.extra, self.key))
        except TemplateError as error:
            raise self.source.error(f"files: {error}", key, text) from error
        contents = {f".{content.value}": content for content in EXTRA_FILE_KINDS[level]}
        content = contents.get(template.extension.lower())
        if self.options is not None and content not in {None, ExtraFileKind.ZIP}:
            allowed = f"write {level.name.lower()}.zip, whose DICOM files are anonymised too"
            raise self.source.error(f'files: "{text}" shows what an anonymised layout hides; {allowed}', key, text)
        if content is None or not template.parts:
            allowed = ", ".join(f"{level.name.lower()}{ending}" for ending in contents)
            reason = (
                f'files: "{text}" does not tell what it holds; in the folder of a {level.name.lower()} there can be'
            )
            raise self.source.error(f"{reason} {allowed}", key, text)
        return ExtraFile(content, template)
