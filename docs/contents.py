"""What the site has in its navigation: every page, in the order in which one reads them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final

DOCS: Final = Path(__file__).resolve().parent

CONTENTS: Final = MappingProxyType[str, Sequence[str]](
    {
        "Guides": (
            "guide/first-report",
            "guide/first-steps",
            "guide/notebook",
            "guide/clusters",
            "guide/sources",
            "guide/offline-and-cache",
            "guide/intern-s1-pro-against-qwen3-vl",
        ),
        "Commands": (
            "commands/list-tensors",
            "commands/dequant",
            "commands/check",
            "commands/audit",
            "commands/params",
            "commands/compare",
            "commands/expert-similarity",
            "commands/report",
            "commands/runs",
            "commands/cache",
        ),
        "Explanation": (
            "explanation/data-flow",
            "explanation/fp8-blocks",
            "explanation/quantization-audit",
            "explanation/similarity",
            "explanation/similarity-calibration",
            "explanation/similarity-power",
        ),
        "Reference": (
            "reference/cli",
            "reference/rules",
            "reference/exit-codes",
            "reference/schemas/index",
        ),
        "Decisions": ("design/index",),
    }
)
"""Caption -> pages. What lies below a page named `index` is in its own list."""


def pages_in(folder: str) -> list[str]:
    """The pages of a folder but its index, by name."""
    return sorted(path.stem for path in (DOCS / folder).glob("*.md") if path.stem != "index")


def contents_of(page: str) -> Mapping[str, Sequence[str]]:
    """The lists of pages that a page leads to: of the first page all, of a folder's its own."""
    if page == "index":
        return CONTENTS
    folder, _, name = page.rpartition("/")
    return {"": pages_in(folder)} if name == "index" else {}


def title_of(path: Path) -> str:
    """The first heading of a page."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return next(line.removeprefix("# ") for line in lines if line.startswith("# "))
