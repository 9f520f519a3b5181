"""Which weights of two checkpoints are the same weight, and which of them are compared. Pure."""

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from inspector.analysis.compare.aligned import Aligned, Label
from inspector.analysis.compare.weight_diff import Pair
from inspector.analysis.params.parts import part_of
from inspector.catalog.names import split_name
from inspector.errors import LayoutError
from inspector.layout.experts import ExpertKey
from inspector.layout.weights import Weight, WeightBook


def pairs_of(
    model: WeightBook, ref: WeightBook, sides: tuple[Mapping[Label, Aligned], Mapping[Label, Aligned]],
    *, most: int | None,
) -> Iterator[Pair]:  # fmt: skip
    """Pairs of weights of equal names and shapes, of each label at most `most`, spread evenly.

    A weight that cannot be decoded is left out: `audit` says why.
    """
    ours, theirs = sides
    for label, left in ours.items():
        right = theirs.get(label)
        if right is None:
            continue
        component = part_of(split_name(_name(label, [0] * label.count(None)))[0]).component
        common = _common(left, right)
        if most is not None and len(common) > most:
            common = common[np.unique(np.linspace(0, len(common) - 1, most).round().astype(int))]
        for one, other in common.tolist():
            try:
                weights = _weight(model, left, one), _weight(ref, right, other)
            except LayoutError:
                continue
            yield Pair(
                name=_name(label, left.numbers[one].tolist()),
                component=component.value,
                layer=_layer(label, left.numbers[one].tolist()),
                model=weights[0],
                ref=weights[1],
            )


def _common(left: Aligned, right: Aligned) -> npt.NDArray[np.int64]:
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
        if left.kinds[left.kind_ids[one]].shape == right.kinds[right.kind_ids[other]].shape
    ]
    return np.array(same, dtype=np.int64).reshape(-1, 2)


def _weight(book: WeightBook, side: Aligned, at: int) -> Weight:
    if side.projection is None:
        return book.stored(book.catalog.row(int(side.rows[at])))
    layer, expert = side.numbers[at].tolist()
    return book.expert(ExpertKey(layer, expert, side.projection, side.prefix))


def _name(label: Label, numbers: list[object]) -> str:
    remaining = iter(numbers)
    return ".".join(str(next(remaining)) if word is None else word for word in label)


def _layer(label: Label, numbers: list[int]) -> int | None:
    """The number after `layers`, of the text model."""
    holes = [i for i, word in enumerate(label) if word is None]
    is_layer = bool(holes) and label[holes[0] - 1] == "layers" and holes[0] == 1
    return numbers[0] if is_layer else None
