"""Layouts: the trees that administrators configure, and how a resource is called in them."""

from davfs.layout.condition import Condition, matches
from davfs.layout.loader import load, load_text, shipped, shipped_names
from davfs.layout.model import Dates, ExtraFile, Layout, LayoutLevel
from davfs.layout.syntax import parse, parse_group
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
    "load",
    "load_text",
    "matches",
    "parse",
    "parse_group",
    "shipped",
    "shipped_names",
]
