"""What of a pair of weights is read: runs of rows, or strips of columns. Pure."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from inspector.layout.weights import Weight

_RUNS: Final = 4
"""Parts of a sample: few, for each is a request, and enough to see how they differ."""

_PIECE: Final = 1024
"""Rows held at a time: of 8,192 numbers each, 34 MB as float32."""

STRIP_COLUMNS: Final = 128
"""Columns of a strip: one block of the usual scales."""


@dataclass(frozen=True, slots=True)
class Pair:
    """The same weight in two checkpoints, and where it is in the model."""

    name: str
    component: str
    layer: int | None
    model: Weight
    ref: Weight

    @property
    def rows(self) -> int:
        """Rows that both have: of embeddings, the smaller vocabulary's."""
        return min(self.model.rows, self.ref.rows)


@dataclass(frozen=True, slots=True)
class Sample:
    """What of a pair is read: parts of rows, and where a strip of columns is enough, which."""

    pair: Pair
    parts: tuple[tuple[int, int], ...]
    columns: tuple[int, int] | None

    def weights(self) -> tuple[Weight, Weight]:
        """Both weights as they are read: the strip alone of one whose rows lie across its bytes."""
        pair, columns = self.pair, self.columns
        if columns is None:
            return pair.model, pair.ref
        return _strip(pair.model, columns), _strip(pair.ref, columns)


def sample_of(pair: Pair, rng: np.random.Generator, *, rows: int | None) -> Sample:
    """What of a pair to read: so many of its rows, or all where that is None.

    Where the bytes of a weight run along its columns, any row would take all of them; a strip of
    columns is read then, which is a few of its stored rows.
    """
    parts = tuple(parts_of(pair.rows, rng, sampled=rows))
    width = min(one.shape[-1] if len(one.shape) == 2 else 0 for one in (pair.model, pair.ref))
    lies_across = any(_lies_across(one) for one in (pair.model, pair.ref))
    if rows is None or not lies_across or width <= STRIP_COLUMNS:
        return Sample(pair, parts, None)
    start = int(rng.integers(width // STRIP_COLUMNS)) * STRIP_COLUMNS
    return Sample(pair, parts, (start, start + STRIP_COLUMNS))


def _lies_across(weight: Weight) -> bool:
    return weight.window is not None and weight.window.transposed and weight.scale is None


def _strip(weight: Weight, columns: tuple[int, int]) -> Weight:
    """The weight's columns alone, where they are rows of its tensor; else the weight."""
    window = weight.window
    if window is None or not _lies_across(weight):
        return weight
    first = window.rows[0]
    rows = first + columns[0], first + columns[1]
    shape = weight.shape[0], columns[1] - columns[0]
    return replace(weight, window=replace(window, rows=rows), shape=shape)


def parts_of(count: int, rng: np.random.Generator, *, sampled: int | None) -> list[tuple[int, int]]:
    """Parts of a weight's rows to read: some runs of a sample, or all where that is None.

    A run is a few rows side by side, for one request; where it starts is drawn.
    """
    if sampled is None or sampled >= count:
        return [(at, min(at + _PIECE, count)) for at in range(0, count, _PIECE)]
    run = max(1, sampled // _RUNS)
    slots = np.sort(rng.choice(count // run, size=sampled // run, replace=False))
    return [(slot * run, (slot + 1) * run) for slot in slots.tolist()]
