"""Markdown → HTML, for what the services' documents say of themselves. HTML in it is text."""

from markdown_it import MarkdownIt
from markupsafe import Markup

_reader = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")


def blocks(text: str) -> Markup:
    """Paragraphs, lists and code."""
    return Markup(_reader.render(text))  # noqa: S704 - HTML in the text is escaped


def line(text: str) -> Markup:
    """One paragraph's text, without the paragraph."""
    return Markup(_reader.renderInline(" ".join(text.split())))  # noqa: S704 - HTML in the text is escaped
