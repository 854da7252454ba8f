"""Layouts: the folder trees that administrators configure in TOML files, and the names in them.

- `loader` reads a layout file into a `Layout` (`model`). `document` is its TOML; `levels`, `where` and `profile` parse
  its tables; a mistake is reported with its line (`toml_lines`) and what is allowed there.
- `template` makes names from DICOM tags, and `parts` their parts; `syntax` parses templates; `values`, `text` format
  values; `tags` lists the tags that Orthanc has in its index. `condition` and `criteria` select studies.
- `anonymised_templates` restricts the templates of anonymised layouts; `subject` identifies a person for pseudonyms.
- `json_schema` describes layout files for editors.
"""

from davfs.layout.condition import Condition, matches
from davfs.layout.loader import load_layout, load_text, shipped, shipped_names
from davfs.layout.model import Dates, ExtraFile, Layout, LayoutLevel
from davfs.layout.syntax import parse_group_template, parse_template
from davfs.layout.tags import ExtraTags
from davfs.layout.template import Template
from davfs.layout.text import HashKey

__all__ = [
    "Condition",
    "Dates",
    "ExtraFile",
    "ExtraTags",
    "HashKey",
    "Layout",
    "LayoutLevel",
    "Template",
    "load_layout",
    "load_text",
    "matches",
    "parse_group_template",
    "parse_template",
    "shipped",
    "shipped_names",
]
