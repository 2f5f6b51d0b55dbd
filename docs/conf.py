"""The site of the documents: `make docs` builds it from the pages that GitHub shows, and fails on any warning."""

import re

project = "caudex"
extensions = ["myst_parser", "sphinx.ext.autodoc"]
root_doc = "docs/index"
include_patterns = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/**"]
html_theme = "furo"
html_title = "caudex"
html_copy_source = False
myst_heading_anchors = 4
autodoc_typehints = "none"
autodoc_member_order = "bysource"
nitpicky = False

LINK = re.compile(r"\]\(([\w./-]+)\.md[#)]")


def add_navigation(app, name: str, source: list[str]) -> None:
    """The list of docs/index.md is also the navigation: a hidden toctree for each group of pages, in its order."""
    if name != root_doc:
        return
    groups: dict[str, dict[str, None]] = {}
    for line in source[0].splitlines():
        pages = LINK.findall(line)
        if line.startswith("- "):
            group = "Pages" if line.startswith("- [") else line[2:].split(":")[0]
        if pages:
            groups.setdefault(group, {}).update(dict.fromkeys(pages))
    for caption, pages in groups.items():
        source[0] += "\n".join(["", "```{toctree}", ":hidden:", f":caption: {caption}", "", *pages, "```", ""])


def as_plain_text(app, what: str, name: str, obj, options, lines: list[str]) -> None:
    """Docstrings are plain text with `code` and examples: what reStructuredText would take for markup is escaped."""
    for number, line in enumerate(lines):
        if not line.lstrip().startswith(">>>"):
            words = re.split(r"(`[^`]+`)", line)
            escaped = (f"`{word}`" if word.startswith("`") else re.sub(r"([*|_`\\])", r"\\\1", word) for word in words)
            lines[number] = "".join(escaped)


def setup(app) -> None:
    app.connect("source-read", add_navigation)
    app.connect("autodoc-process-docstring", as_plain_text)
