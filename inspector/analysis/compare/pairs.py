"""Which weights of two checkpoints are the same weight, and which of them are compared. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from inspector.analysis.compare.aligned import Aligned, Label
from inspector.analysis.compare.samples import Pair
from inspector.analysis.params.parts import part_of
from inspector.analysis.params.terms import Component
from inspector.catalog.names import split_name
from inspector.errors import LayoutError
from inspector.layout.experts import ExpertKey
from inspector.layout.weights import Weight, WeightBook

Positions = npt.NDArray[np.int64]
"""`[n, 2]`: where each of some pairs is in both sides."""


_BY_TOKEN: Final = frozenset({Component.EMBEDDING, Component.HEAD})
"""Components with a row a token of the vocabulary, which may go on in one of two models."""


@dataclass(frozen=True, slots=True)
class Paired:
    """The pairs to compare, and the names of those that cannot be decoded: `audit` says why."""

    pairs: list[Pair]
    left_out: list[str]


def pairs_of(
    model: tuple[WeightBook, Mapping[Label, Aligned]],
    ref: tuple[WeightBook, Mapping[Label, Aligned]],
    *,
    most: int | None,
) -> Paired:
    """Pairs of weights of equal names and shapes, of each label at most `most`, spread evenly."""
    found = Paired([], [])
    for label, ours in model[1].items():
        theirs = ref[1].get(label)
        if theirs is None:
            continue
        component = part_of(split_name(_name(label, [0] * label.count(None)))[0]).component
        for one, other in _spread(
            _common(ours, theirs, by_token=component in _BY_TOKEN), most
        ).tolist():
            numbers = ours.numbers[one].tolist()
            try:
                weights = weight_at(model[0], ours, one), weight_at(ref[0], theirs, other)
            except LayoutError:
                found.left_out.append(_name(label, numbers))
                continue
            pair = Pair(_name(label, numbers), component.value, _layer(label, numbers), *weights)
            found.pairs.append(pair)
    return found


def _spread(positions: Positions, most: int | None) -> Positions:
    """At most so many of them, the first and the last among them."""
    if most is None or len(positions) <= most:
        return positions
    chosen: Positions = positions[np.linspace(0, len(positions) - 1, most).round().astype(int)]
    return chosen


def _comparable(one: tuple[int, ...], other: tuple[int, ...], *, by_token: bool) -> bool:
    """Equal shapes, or those of tables with a row a token: the smaller vocabulary is compared."""
    return one == other or (by_token and len(one) == 2 and one[1:] == other[1:])


def _common(left: Aligned, right: Aligned, *, by_token: bool) -> Positions:
    """`[n, 2]` positions in both of tensors with equal numbers and shapes, in order."""
    there = {tuple(numbers): at for at, numbers in enumerate(right.numbers.tolist())}
    pairs = [
        (at, there[tuple(numbers)])
        for at, numbers in enumerate(left.numbers.tolist())
        if tuple(numbers) in there
    ]
    same = [
        (one, other)
        for one, other in pairs
        if _comparable(
            left.kinds[left.kind_ids[one]].shape,
            right.kinds[right.kind_ids[other]].shape,
            by_token=by_token,
        )
    ]
    return np.array(same, dtype=np.int64).reshape(-1, 2)


def weight_at(book: WeightBook, side: Aligned, at: int) -> Weight:
    """The weight at a position of an aligned label.

    Raises:
        LayoutError: it cannot be decoded.
    """
    if side.projection is None:
        return book.stored(book.catalog.row(int(side.rows[at])))
    layer, expert = side.numbers[at].tolist()
    return book.expert(ExpertKey(layer, expert, side.projection, side.prefix, side.is_bias))


def _name(label: Label, numbers: Sequence[object]) -> str:
    remaining = iter(numbers)
    return ".".join(str(next(remaining)) if word is None else word for word in label)


def _layer(label: Label, numbers: list[int]) -> int | None:
    """The number after `layers`, of the text model."""
    holes = [i for i, word in enumerate(label) if word is None]
    is_layer = bool(holes) and label[holes[0] - 1] == "layers" and holes[0] == 1
    return numbers[0] if is_layer else None
