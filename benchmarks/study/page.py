"""The lines of a table as Markdown: made, put into a page, and read back from it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.study.figures import Figure, Reached
from benchmarks.study.plans import Setting
from benchmarks.table import reaches

_COLUMNS: Final = ("what", "figure", "reached", "95 % interval", "of", "to reach", "")
_HEADING: Final = re.compile(r"^### (.+)$", re.MULTILINE)
_ROW: Final = re.compile(r"^\| (?!what |---)(.+) \|$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Row:
    """One line: a figure of a study. Numbers are as they are shown."""

    what: str
    figure: str
    reached: str
    interval: str
    count: str
    demand: str
    verdict: str

    def markdown(self) -> str:
        cells = (self.what, self.figure, self.reached, self.interval, self.count, self.demand)
        return _line((*cells, self.verdict))


def row(what: str, figure: Figure, reached: Reached) -> Row:
    """A line of a table; without a demand there is no verdict."""
    verdict = ""
    if figure.demand:
        verdict = "pass" if reaches(reached.value, figure.demand) else "**missed**"
    return Row(
        what=what,
        figure=figure.name,
        reached=number(reached.value),
        interval=f"{number(reached.low)} to {number(reached.high)}",
        count=f"{reached.count:,}",
        demand=figure.demand,
        verdict=verdict,
    )


def number(value: float) -> str:
    """Three digits, or all of those before the point.

    >>> number(0.99219), number(101.3), number(0.0), number(60160.0)
    ('0.992', '101', '0', '60160')
    """
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def table(rows: Sequence[Row]) -> str:
    """The lines under their heading."""
    heading = [_line(_COLUMNS), f"|{'---|' * len(_COLUMNS)}"]
    return "\n".join([*heading, *(one.markdown() for one in rows)])


def rows_of(text: str) -> Iterator[Row]:
    """The lines of every table in a page.

    Raises:
        ValueError: a line does not have seven cells.
    """
    for found in _ROW.finditer(text):
        cells = [cell.strip() for cell in f"{found[1]} ".split("|")]
        if len(cells) != len(Row.__slots__):
            raise ValueError(f"expected {len(Row.__slots__)} cells, found {len(cells)}: {found[0]}")
        yield Row(*cells)


def sections(text: str, setting: Setting) -> dict[str, str]:
    """What a page says between the marks of a setting, by heading.

    Raises:
        ValueError: the page has no such marks.
    """
    found = _HEADING.split(_between(text, setting))
    return dict(zip(found[1::2], (one.strip() for one in found[2::2]), strict=True))


def with_sections(text: str, setting: Setting, content: Mapping[str, str]) -> str:
    """The page with these headings, in this order, between the marks of a setting."""
    begin, end = _marks(setting)
    parts = [f"### {heading}\n\n{one}\n" for heading, one in content.items()]
    inside = "\n".join(["", *parts, ""])
    return text.replace(f"{begin}{_between(text, setting)}{end}", f"{begin}\n{inside}{end}")


def _between(text: str, setting: Setting) -> str:
    begin, end = _marks(setting)
    if begin not in text or end not in text:
        raise ValueError(f"no {begin} ... {end}")
    return text.partition(begin)[2].partition(end)[0]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _marks(setting: Setting) -> tuple[str, str]:
    return f"<!-- {setting} -->", f"<!-- end of {setting} -->"
