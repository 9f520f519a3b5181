"""Two checkpoints' tensors, collapsed: 290,000 names of one are some tens of rows. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from inspector.analysis.compare.aligned import Aligned, Kind, Label
from inspector.analysis.compare.config_diff import Status
from inspector.analysis.listing import number_ranges


class StoredAs(msgspec.Struct, frozen=True, kw_only=True):
    """What tensors of a row are in one checkpoint; `scale` is the dtype of their scales."""

    shape: tuple[int, ...]
    dtype: str
    scale: str | None
    fused: bool


class TensorRow(msgspec.Struct, frozen=True, kw_only=True):
    """Tensors alike in both checkpoints: `name` has ranges for numbers, `tensors` counts them.

    `status` is same, changed, only_model or only_ref; `differs` says in what a changed one does:
    shape, dtype, scale or layout.
    """

    name: str
    status: str
    tensors: int
    model: StoredAs | None
    ref: StoredAs | None
    differs: list[str]


class TensorsDiff(msgspec.Struct, frozen=True, kw_only=True):
    """All rows by status. A fused tensor counts as the matrices it holds."""

    same: list[TensorRow]
    changed: list[TensorRow]
    only_model: list[TensorRow]
    only_ref: list[TensorRow]


_ABSENT: Final = -1


def tensors_diff(ours: Mapping[Label, Aligned], theirs: Mapping[Label, Aligned]) -> TensorsDiff:
    """How the tensors of two checkpoints differ: names, shapes, dtypes, layouts."""
    rows = [
        row
        for label in dict.fromkeys([*ours, *theirs])
        for row in _rows(label, ours.get(label), theirs.get(label))
    ]
    by_status = {status: [row for row in rows if row.status == status] for status in Status}
    return TensorsDiff(**{status.value: found for status, found in by_status.items()})


def _rows(label: Label, ours: Aligned | None, theirs: Aligned | None) -> Iterator[TensorRow]:
    """The tensors of one label by what they are in both checkpoints."""
    sides = [side for side in (ours, theirs) if side is not None]
    everything = np.concatenate([side.numbers for side in sides])
    padded = np.concatenate([everything, np.zeros((len(everything), 1), np.int64)], axis=1)
    distinct, where = np.unique(padded, axis=0, return_inverse=True)
    kinds = np.full((len(distinct), 2), _ABSENT, dtype=np.int64)
    where = where.reshape(-1)
    start = 0
    for column, side in enumerate((ours, theirs)):
        if side is not None:
            kinds[where[start : start + len(side.numbers)], column] = side.kind_ids
            start += len(side.numbers)
    pairs, group = np.unique(kinds, axis=0, return_inverse=True)
    first = [int(np.argmax(group.reshape(-1) == number)) for number in range(len(pairs))]
    for number in sorted(range(len(pairs)), key=lambda one: first[one]):
        here = distinct[group.reshape(-1) == number][:, : label.count(None)]
        pair = [
            None if side is None or kind == _ABSENT else side.kinds[kind]
            for side, kind in zip((ours, theirs), pairs[number].tolist(), strict=True)
        ]
        for block in products(here):
            yield _row(label, block, pair[0], pair[1])


def products(numbers: npt.NDArray[np.int64]) -> list[npt.NDArray[np.int64]]:
    """Rows of numbers as few blocks, each of which ranges can say: those that share a last set.

    Experts 8 to 31 of layer 0 and all 32 of layer 1 are two blocks.
    """
    if numbers.shape[1] < 2 or len(numbers) == np.prod(
        [len(np.unique(column)) for column in numbers.T]
    ):
        return [numbers]
    ends: dict[bytes, list[npt.NDArray[np.int64]]] = {}
    _, where = np.unique(numbers[:, :-1], axis=0, return_inverse=True)
    for leading in range(int(where.max()) + 1):
        rows = numbers[where.reshape(-1) == leading]
        ends.setdefault(np.unique(rows[:, -1]).tobytes(), []).append(rows)
    return [np.concatenate(rows) for rows in ends.values()]


def _row(label: Label, numbers: np.ndarray, ours: Kind | None, theirs: Kind | None) -> TensorRow:
    ranges = iter(
        [number_ranges(np.unique(numbers[:, i]).tolist()) for i in range(label.count(None))]
    )
    differs = _differs(ours, theirs)
    return TensorRow(
        name=".".join(next(ranges) if word is None else word for word in label),
        status=_status(ours, theirs, differs),
        tensors=len(numbers),
        model=_stored_as(ours),
        ref=_stored_as(theirs),
        differs=differs,
    )


def _status(ours: Kind | None, theirs: Kind | None, differs: list[str]) -> Status:
    if ours is None:
        return Status.ONLY_REF
    if theirs is None:
        return Status.ONLY_MODEL
    return Status.CHANGED if differs else Status.SAME


def _differs(ours: Kind | None, theirs: Kind | None) -> list[str]:
    if ours is None or theirs is None:
        return []
    names = {"shape": "shape", "dtype": "dtype", "scale": "scale", "fused": "layout"}
    return [word for name, word in names.items() if getattr(ours, name) != getattr(theirs, name)]


def _stored_as(kind: Kind | None) -> StoredAs | None:
    if kind is None:
        return None
    return StoredAs(shape=kind.shape, dtype=kind.dtype, scale=kind.scale, fused=kind.fused)


class Folded(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of one place that differ alike, as one line: `names` are what stands below `place`.

    `model` and `ref` are what the first is stored as; `one_shape` says whether all have its shapes.
    """

    place: str
    names: list[str]
    status: str
    tensors: int
    differs: list[str]
    model: StoredAs | None
    ref: StoredAs | None
    one_shape: bool


def folded(rows: Sequence[TensorRow]) -> list[Folded]:
    """Rows with the same numbers, dtypes and differences as one line each, in their order."""
    groups: dict[tuple[object, ...], list[TensorRow]] = {}
    for row in rows:
        key = (_place(row.name), row.status, *row.differs, *_dtypes(row.model), *_dtypes(row.ref))
        groups.setdefault(key, []).append(row)
    return [
        Folded(
            place=_place(found[0].name),
            names=[row.name.removeprefix(_place(row.name)) for row in found],
            status=found[0].status,
            tensors=sum(row.tensors for row in found),
            differs=found[0].differs,
            model=found[0].model,
            ref=found[0].ref,
            one_shape=len({(_shape(row.model), _shape(row.ref)) for row in found}) == 1,
        )
        for found in groups.values()
    ]


def _place(name: str) -> str:
    """A row's name up to its last number."""
    words = name.split(".")
    last = max((i for i, word in enumerate(words) if word[:1] in "{0123456789"), default=-1)
    return ".".join([*words[: last + 1], ""]) if last >= 0 else ""


def _dtypes(side: StoredAs | None) -> tuple[object, ...]:
    return (None,) if side is None else (side.dtype, side.scale, side.fused)


def _shape(side: StoredAs | None) -> tuple[int, ...] | None:
    return None if side is None else side.shape
