"""Long dotted names as an outline: a prefix that neighbours share is said once, above them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_MIN_SHARED: Final = 3
"""Fewer neighbours than this keep their names whole."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of an outline: `row` is the position of the name it stands for; None is a heading."""

    depth: int
    label: str
    row: int | None


def outline(names: Sequence[str]) -> list[Line]:
    """Names, in their order, below headings for the prefixes that at least three neighbours share.

    >>> for line in outline(["a.b.x", "a.b.y", "a.b.z", "c"]):
    ...     print("  " * line.depth + line.label)
    a.b.
      x
      y
      z
    c
    """
    parts = [_components(name) for name in names]
    return _lines(parts, 0, range(len(names)), 0)


def _components(name: str) -> list[str]:
    """Split at dots outside braces: `{0..93}` is one component."""
    words, depth, start = [], 0, 0
    for position, letter in enumerate(name):
        depth += (letter == "{") - (letter == "}")
        if letter == "." and depth <= 0:
            words.append(name[start:position])
            start = position + 1
    return [*words, name[start:]]


def _lines(parts: Sequence[list[str]], skip: int, rows: range, depth: int) -> list[Line]:
    """The outline of some neighbours whose first `skip` components are said already."""
    lines: list[Line] = []
    start = rows.start
    while start < rows.stop:
        stop = start + 1
        while stop < rows.stop and _shared(parts, start, stop + 1) > skip:
            stop += 1
        shared = _shared(parts, start, stop)
        if stop - start < _MIN_SHARED or shared <= skip:
            lines += [Line(depth, ".".join(parts[row][skip:]), row) for row in range(start, stop)]
        else:
            lines.append(Line(depth, ".".join(parts[start][skip:shared]) + ".", None))
            lines += _lines(parts, shared, range(start, stop), depth + 1)
        start = stop
    return lines


def _shared(parts: Sequence[list[str]], start: int, stop: int) -> int:
    """How many first components the names `[start, stop)` share, leaving each at least one."""
    first = parts[start]
    count = min(len(parts[row]) for row in range(start, stop)) - 1
    for row in range(start + 1, stop):
        count = next((i for i in range(count) if parts[row][i] != first[i]), count)
    return count
