"""Layouts: the trees that administrators configure, and how a resource is called in them."""

from davfs.layout.loader import load, load_text, shipped, shipped_names
from davfs.layout.model import Layout, LayoutLevel
from davfs.layout.syntax import parse
from davfs.layout.tags import Extra
from davfs.layout.template import Template

__all__ = ["Extra", "Layout", "LayoutLevel", "Template", "load", "load_text", "parse", "shipped", "shipped_names"]
