"""Which weights an audit looks into, and which bytes that takes. Pure: chooses, never reads."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from inspector.analysis.quant.modules import Members, Modules
from inspector.analysis.quant.structure import Example, matrices_in
from inspector.format.spans import Span
from inspector.layout.experts import ExpertKey
from inspector.layout.pairing import NOBODY
from inspector.layout.scales import Granularity
from inspector.layout.weights import Weight, WeightBook

DEFAULT_SAMPLE: Final = 4
"""Weights of each family: 28 of Intern-S1-Pro, 900 blocks, 16 MB."""

_ALL_SCALES: Final = 16_000_000
"""Scales of fewer bytes are read all; a sample of larger ones tells the same."""

_WHOLE_WEIGHT: Final = 1 << 20
"""A weight with one scale must be read whole, or its largest code is not known."""

_PIECE: Final = 4 << 20
"""Bytes of codes that are held and counted at a time."""

_STRIPE: Final = 128
"""Rows that are read where each row has scales of its own."""


@dataclass(frozen=True, slots=True)
class Look:
    """One weight that is looked into: all its scales, and codes of rows `[start, stop)` or none.

    `turn` counts the looks of its family: the lower, the sooner it is worth its bytes.
    """

    member: int
    weight: Weight
    rows: tuple[int, int] | None
    turn: int

    def spans(self) -> Iterator[tuple[str, Span]]:
        """The bytes that it takes, by shard."""
        for grid in self.weight.grids:
            yield from grid.spans(0, self.weight.rows)
        if self.settles:
            yield from ((state.shard, state.span) for state in self.weight.states)
        order = self.weight.group_index
        if order is not None:
            yield order.shard, order.span
        for piece in self.pieces():
            if self.is_of_places:
                yield from self.weight.mask_spans(*piece)
            else:
                yield from self.weight.spans(*piece)

    @property
    def is_of_places(self) -> bool:
        """Whether there are no codes, and only where the numbers belong is looked into."""
        return self.weight.coding is None and self.weight.bitmask is not None

    @property
    def settles(self) -> bool:
        """Whether the weight's states are read: its codes are, or what is beside them needs it."""
        weight = self.weight
        is_coded = weight.scale is not None and weight.scale.nested is not None
        return self.rows is not None or is_coded or weight.group_index is not None

    def settled(self, weight: Weight) -> "Look":
        """The same of the weight as its state says it is: of other rows, those in the same codes.

        They are of another shape where the state of the first of its kind says another.
        """
        if self.rows is None or weight.rows == self.weight.rows or weight.scale is None:
            return replace(self, weight=weight)
        whole, columns = weight.scale.whole_rows, weight.shape[1]
        first, last = (min(at * self.weight.shape[1] // columns, weight.rows) for at in self.rows)
        if last < weight.rows:
            last -= last % whole
        first = min(-(-first // whole) * whole, last)
        return replace(self, weight=weight, rows=(first, last) if first < last else None)

    def pieces(self) -> Iterator[tuple[int, int]]:
        """The rows whose codes are read, in pieces of some megabytes that cut no block."""
        weight, block = self.weight, 1
        if self.rows is None:
            return
        start, stop = self.rows
        if self.is_of_places:
            is_cut = len(weight.shape) == 2
            size = sum(len(span) for _, span in weight.mask_spans(start, stop))
        elif weight.scale is not None:
            is_cut = weight.window is None or not weight.window.transposed
            size, block = len(weight.span(start, stop)), weight.scale.whole_rows
        else:
            return
        row_bytes = max(1, size // (stop - start))
        rows = max(1, _PIECE // row_bytes // block) * block if is_cut else stop - start
        yield from ((at, min(at + rows, stop)) for at in range(start, stop, rows))


def spans_of(looks: Iterable[Look]) -> Iterator[tuple[str, Span]]:
    """The bytes that some looks take, each span once."""
    return iter(dict.fromkeys(span for look in looks for span in look.spans()))


def affordable(
    looks: Sequence[Look], cost: Callable[[Iterator[tuple[str, Span]]], int], max_bytes: int
) -> list[Look]:
    """As many looks as cost no more than `max_bytes`, those first that tell of every family."""
    order = sorted(looks, key=lambda look: (look.rows is None, look.turn))
    least, most = 0, len(order)
    while least < most:
        middle = (least + most + 1) // 2
        if cost(spans_of(order[:middle])) <= max_bytes:
            least = middle
        else:
            most = middle - 1
    return order[:least]


def in_file_order(looks: Iterable[Look]) -> list[Look]:
    """Looks as their codes, or else scales, lie: what is read together is let go soon."""
    return sorted(looks, key=lambda look: list(look.spans())[-1])


def choose_looks(
    modules: Modules,
    examples: Sequence[Example],
    book: WeightBook,
    sample: int | None,
    *,
    experts: frozenset[int] | None = None,
) -> list[Look]:
    """What to look into: `sample` weights of each family, evenly spread; None is all of them.

    Where all scales together are few bytes, they are read whatever the sample. `experts` are those
    that are looked into where one module holds all of its layer; None is all.
    """
    if sample == 0:
        return []
    sound = np.array([isinstance(example, Weight) for example in examples], dtype=np.bool_)
    members = np.flatnonzero(sound[modules.storage_ids])
    scales = modules.scales[members]
    few = int(modules.catalog.sizes(scales[scales != NOBODY]).sum()) <= _ALL_SCALES
    found = []
    for _, family in modules.by_template(members):
        places = _places(modules, family, book, experts)
        chosen = set(range(len(places)) if sample is None else _spread(len(places), sample))
        for turn, place in enumerate(range(len(places)) if few else sorted(chosen)):
            member, key = places[place]
            weight = book.expert(key) if key else next(book.stored_weights(modules.rows[[member]]))
            rows = _rows(weight, turn, whole=sample is None) if place in chosen else None
            if rows is not None or weight.scale is not None:
                found.append(Look(member, weight, rows, turn))
    return found


def _places(
    modules: Modules, family: Members, book: WeightBook, experts: frozenset[int] | None
) -> list[tuple[int, ExpertKey | None]]:
    """The weights of a family: modules, or the matrices inside them where they are fused."""
    places: list[tuple[int, ExpertKey | None]] = []
    for member in family.tolist():
        storage = modules.storages[modules.storage_ids[member]].stored
        if storage is None or len(storage.shape) != 3:
            places.append((member, None))
        else:
            keys = matrices_in(book, int(modules.rows[member]))
            places += [(member, key) for key in keys if experts is None or key.expert in experts]
    return places


def _spread(count: int, wanted: int) -> list[int]:
    """At most `wanted` of `count` positions, evenly apart.

    >>> _spread(94, 4), _spread(2, 4)
    ([11, 35, 58, 82], [0, 1])
    """
    if count <= wanted:
        return list(range(count))
    return [(2 * at + 1) * count // (2 * wanted) for at in range(wanted)]


def _rows(weight: Weight, turn: int, *, whole: bool) -> tuple[int, int] | None:
    """The rows whose codes are read: all, or one row of blocks, a different one each turn."""
    coding, scale, mask = weight.coding, weight.scale, weight.bitmask
    if coding is None and mask is not None and weight.rows:
        if whole or len(weight.shape) != 2 or mask.bytes <= _WHOLE_WEIGHT:
            return 0, weight.rows
        return _stripe(weight.rows, _STRIPE, turn)
    if coding is None or scale is None or not weight.rows:
        return None
    if whole:
        return 0, weight.rows
    if scale.granularity is Granularity.TENSOR:
        return (0, weight.rows) if len(weight.span(0, weight.rows)) <= _WHOLE_WEIGHT else None
    step = scale.whole_rows
    if scale.granularity is not Granularity.BLOCK:
        step *= -(-_STRIPE // step)
    return _stripe(weight.rows, step, turn)


def _stripe(rows: int, step: int, turn: int) -> tuple[int, int]:
    """One of the runs of `step` rows, another each turn."""
    stripes = -(-rows // step)
    start = (turn * max(1, stripes // 4)) % stripes * step
    return start, min(start + step, rows)
