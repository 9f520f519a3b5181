"""How Sphinx makes the site. It loads no font and no script from elsewhere."""

from typing import Final

from sphinx.application import Sphinx

from docs.contents import contents_of
from inspector.version import __version__

project: Final = "s1inspect"
release: Final = __version__
extensions: Final = ["myst_parser"]
source_suffix: Final = {".md": "markdown"}
exclude_patterns: Final = ["*.py", "__pycache__"]
html_theme: Final = "furo"
html_title: Final = f"s1inspect {__version__}"
html_show_sphinx: Final = False
html_copy_source: Final = False
html_show_search_summary: Final = False  # it is fetched, which browsers forbid from disk
myst_heading_anchors: Final = 4
nitpicky: Final = True


def _add_contents(app: Sphinx, page: str, source: list[str]) -> None:
    """Put the lists of pages behind a page's text: on the web of a forge they would be noise."""
    del app
    for caption, pages in contents_of(page).items():
        lines = "\n".join(f"/{one}" if page == "index" else one for one in pages)
        said = f":caption: {caption}\n" if caption else ""
        source[0] += f"\n```{{toctree}}\n:hidden:\n{said}\n{lines}\n```\n"


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("source-read", _add_contents)
