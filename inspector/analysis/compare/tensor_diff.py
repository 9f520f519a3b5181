"""Two checkpoints' tensors, collapsed: 290,000 names of one are some tens of rows. Pure."""

from collections.abc import Iterator
from typing import Final

import msgspec
import numpy as np

from inspector.analysis.compare.aligned import Aligned, Kind, Label, aligned
from inspector.analysis.compare.config_diff import Status
from inspector.analysis.listing import number_ranges
from inspector.catalog import Catalog
from inspector.config import ModelConfig


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


def tensors_diff(
    model: Catalog,
    ref: Catalog,
    model_config: ModelConfig | None,
    ref_config: ModelConfig | None,
) -> TensorsDiff:
    """How the tensors of two checkpoints differ: names, shapes, dtypes, layouts."""
    ours, theirs = aligned(model, model_config), aligned(ref, ref_config)
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
        here = distinct[group.reshape(-1) == number]
        pair = [
            None if side is None or kind == _ABSENT else side.kinds[kind]
            for side, kind in zip((ours, theirs), pairs[number].tolist(), strict=True)
        ]
        yield _row(label, here, pair[0], pair[1])


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
