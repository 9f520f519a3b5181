"""Tensor names as templates and numbers: 290,292 names of one model are 40 templates.

`model.layers.3.mlp.experts.200.up_proj` is the template `model.layers.#.mlp.experts.#.up_proj` with
the numbers (3, 200). A component is a number where it is at most nine digits without leading zeros;
`x2` and `007` stay letters, and so does the whole of a name that is not one line of at most
`MAX_COMPONENTS`. Questions about names are answered once a template, not once a name, and the table
needs no string a tensor.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]
"""Row numbers of a table."""

MAX_COMPONENTS: Final = 64
"""Longer names are not taken apart: one of a million dots would give every row as many keys."""

_HOLE: Final = "\x00"
MAX_DIGITS: Final = 9
"""A component of more digits is letters: every number fits in 32 bits."""

_NUMBER: Final = re.compile(r"\.(0|[1-9][0-9]{0,8})(?=[.\n])")
"""A component that is a number, in a line that begins with a dot."""

_NO_NUMBER: Final = -1


@dataclass(frozen=True, slots=True)
class Template:
    """The letters of a name: `pieces[0]` number `pieces[1]` number ... `pieces[-1]`."""

    pieces: tuple[str, ...]

    @property
    def holes(self) -> int:
        return len(self.pieces) - 1

    def fill(self, numbers: Iterable[object]) -> str:
        """The name, or a label, with `numbers` in the holes.

        >>> Template(("layers.", ".mlp")).fill(["{0..93}"])
        'layers.{0..93}.mlp'
        """
        words = [self.pieces[0]]
        for number, piece in zip(numbers, self.pieces[1:], strict=False):
            words += (str(number), piece)
        return "".join(words)

    def form(self) -> str:
        """The name as a format for its numbers: five times as fast as `fill` for many.

        >>> Template(("layers.", ".100%")).form() % (3,)
        'layers.3.100%'
        """
        return "%d".join(piece.replace("%", "%%") for piece in self.pieces)

    def components(self) -> tuple[str | None, ...]:
        """The dotted components; None where a number stands.

        >>> Template(("layers.", ".mlp")).components()
        ('layers', None, 'mlp')
        """
        if self.holes == 0:
            return tuple(self.pieces[0].split(".", MAX_COMPONENTS - 1))
        return tuple(part if part != _HOLE else None for part in _HOLE.join(self.pieces).split("."))


@dataclass(frozen=True, slots=True)
class NameColumns:
    """Names of `n` tensors: a template each, and its numbers, -1 where there are fewer.

    `template_ids` is `[n]`; `numbers` is `[n, widest template]`.
    """

    templates: tuple[Template, ...]
    template_ids: npt.NDArray[np.int32]
    numbers: npt.NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.template_ids)

    def name(self, row: int) -> str:
        return self.templates[int(self.template_ids[row])].fill(self.numbers[row].tolist())

    def texts(self, rows: Rows) -> list[str]:
        """The names of `rows`, in their order."""
        ids = self.template_ids[rows].tolist()
        numbers = self.numbers[rows].tolist()
        used = {i: self.templates[i] for i in set(ids)}
        forms = {i: (template.form(), template.holes) for i, template in used.items()}
        return [
            form % tuple(row[:holes])
            for (form, holes), row in zip([forms[i] for i in ids], numbers, strict=True)
        ]

    def find(self, name: str) -> int | None:
        """The row of a name, or None."""
        template, numbers = split_name(name)
        if template not in self.templates:
            return None
        mask = self.template_ids == self.templates.index(template)
        for column, number in enumerate(numbers):
            mask &= self.numbers[:, column] == number
        rows = np.flatnonzero(mask)
        return int(rows[0]) if len(rows) else None

    def natural_order(self) -> Rows:
        """Rows sorted as a person counts: by component, numbers by value and before words."""
        parts = [template.components() for template in self.templates]
        words = sorted({part for one in parts for part in one if part is not None})
        rank = {word: 2**30 + position for position, word in enumerate(words)}
        depth = max((len(one) for one in parts), default=0)
        keys = np.full((depth, len(self)), -1, dtype=np.int32)
        by_template = np.argsort(self.template_ids, kind="stable")
        edges = np.searchsorted(self.template_ids[by_template], np.arange(len(parts) + 1))
        for template_id, components in enumerate(parts):
            rows = by_template[edges[template_id] : edges[template_id + 1]]
            hole = 0
            for position, part in enumerate(components):
                if part is None:
                    keys[position, rows] = self.numbers[rows, hole]
                    hole += 1
                else:
                    keys[position, rows] = rank[part]
        varying = [key for key in keys if len(key) and (key != key[0]).any()]
        if not varying:
            return np.arange(len(self), dtype=np.int64)
        return np.lexsort(varying[::-1]).astype(np.int64)

    def take(self, rows: Rows) -> "NameColumns":
        return NameColumns(self.templates, self.template_ids[rows], self.numbers[rows])


def split_name(name: str) -> tuple[Template, tuple[int, ...]]:
    """One name's template and numbers.

    >>> split_name("layers.3.experts.200.w1")
    (Template(pieces=('layers.', '.experts.', '.w1')), (3, 200))
    """
    if _HOLE in name or "\n" in name or name.count(".") >= MAX_COMPONENTS:
        return Template((name,)), ()
    line = f".{name}\n"
    numbers = tuple(int(word) for word in _NUMBER.findall(line))
    return _template(_NUMBER.sub(f".{_HOLE}", line)[:-1]), numbers


def _template(line: str) -> Template:
    """The template of a line that begins with a dot and has holes for its numbers."""
    return Template(tuple(line[1:].split(_HOLE)))


class NameColumnsBuilder:
    """Collects names, a shard at a time, keeping no string of them."""

    def __init__(self) -> None:
        self._ids: dict[Template, int] = {}
        self._template_ids: list[npt.NDArray[np.int32]] = []
        self._numbers: list[npt.NDArray[np.int32]] = []

    def add(self, names: Sequence[str]) -> None:
        if not names:
            return
        text = "\n".join([*names, ""])
        if _HOLE in text or text.count("\n") != len(names):
            self._add_each(names)
            return
        lines, numbers = _take_numbers_out(text.encode("utf-8", "surrogatepass"))
        distinct = dict.fromkeys(lines)
        if any(line.count(b".") >= MAX_COMPONENTS for line in distinct):
            self._add_each(names)
            return
        known = {
            line: self._id(Template(tuple(line.decode("utf-8", "surrogatepass").split(_HOLE))))
            for line in distinct
        }
        self._append([known[line] for line in lines], numbers)

    def _add_each(self, names: Sequence[str]) -> None:
        """One name at a time: some are hostile to reading them as lines."""
        parts = [split_name(name) for name in names]
        ids = [self._id(template) for template, _ in parts]
        numbers = [number for _, numbers in parts for number in numbers]
        self._append(ids, np.array(numbers, dtype=np.int32))

    def build(self) -> NameColumns:
        templates = tuple(self._ids)
        ids = np.concatenate([np.empty(0, np.int32), *self._template_ids])
        flat = np.concatenate([np.empty(0, np.int32), *self._numbers])
        holes = np.array([template.holes for template in templates], dtype=np.int32)
        width = int(holes.max(initial=0))
        numbers = np.full((len(ids), width), _NO_NUMBER, dtype=np.int32)
        numbers[np.arange(width)[None, :] < holes[ids][:, None]] = flat
        return NameColumns(templates, ids, numbers)

    def _id(self, template: Template) -> int:
        return self._ids.setdefault(template, len(self._ids))

    def _append(self, ids: list[int], numbers: npt.NDArray[np.int32]) -> None:
        self._template_ids.append(np.array(ids, dtype=np.int32))
        self._numbers.append(numbers)


def _take_numbers_out(text: bytes) -> tuple[list[bytes], npt.NDArray[np.int32]]:
    """Lines with a hole for each component that is a number, and the numbers in their order.

    What `_NUMBER` finds in one name, found in all at once: 0.2 seconds for 290,292 names, where the
    regular expression takes 0.5. There are lines, and each ends in a newline.
    """
    letters = np.frombuffer(text, dtype=np.uint8)
    stops = np.flatnonzero((letters == ord(".")) | (letters == ord("\n")))
    starts = np.concatenate([[0], stops[:-1] + 1])
    others = np.concatenate([[0], np.cumsum((letters - ord("0")) > 9)])
    length = stops - starts
    is_number = (others[stops] == others[starts]) & (length > 0) & (length <= MAX_DIGITS)
    is_number &= (length == 1) | (letters[starts] != ord("0"))
    first, last = starts[is_number], stops[is_number]
    numbers = np.zeros(len(first), dtype=np.int32)
    for place in range(int((last - first).max(initial=0))):
        here = first + place < last
        numbers[here] = numbers[here] * 10 + (letters[first[here] + place] - ord("0"))
    edges = np.zeros(len(letters) + 1, dtype=np.int8)
    edges[first] += 1
    edges[last] -= 1
    keep = np.cumsum(edges[:-1], dtype=np.int8) == 0
    keep[first] = True
    left = letters.copy()
    left[first] = 0
    return left[keep].tobytes().split(b"\n")[:-1], numbers
