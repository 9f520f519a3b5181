"""The references of a layer at the sampled rows, and what tests make of them."""

from collections.abc import Collection
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from inspector.analysis.packed_rows import PackedRows
from inspector.decode.numeric import Float32
from inspector.stats.flips import MAX_FLIP_ROWS, prepare_flip_references
from inspector.stats.matching import (
    Preparation,
    Prepared,
    prepare_references,
    prepare_uncentred,
)
from inspector.stats.retention_templates import Templates
from inspector.stats.template_drawing import draw_templates

_UNCENTRED: Final = 32

Flips = tuple[Preparation, Prepared]
"""What tells sign flips against the references of a layer."""


class LayerReferences:
    """The references of a layer at the sampled rows, `[R, k, m]`, and what tests need of them.

    Each is made when it is first asked for. `seed` draws the templates, for experts that are stored
    at `mantissa_bits`. The array that is given is the object's own from then on: where its values
    are packed, they are prepared in its place.
    """

    def __init__(self, raw: Float32, seed: int, mantissa_bits: int | None = None) -> None:
        self.raw = PackedRows(raw)
        self._seed = seed
        self._mantissa_bits = mantissa_bits
        is_free = self.raw.nbytes < raw.nbytes
        self.preparation, self.prepared = prepare_references(raw, out=raw if is_free else None)

    def every(self, step: int) -> "LayerReferences":
        """Every `step`-th of them, prepared as all were; the others can go."""
        found = copy(self)
        found.raw = self.raw.every(step)
        chosen = np.arange(0, len(self.raw), step)
        found.prepared = self.prepared.take(chosen)
        found.__dict__.pop("uncentred", None)
        return found

    def as_they_are(self) -> "LayerReferences":
        """The same without what the signed test is made of: for whoever needs rows and templates.

        Of references that are large that is two thirds of what they take.
        """
        found = copy(self)
        del found.prepared
        found.__dict__.pop("uncentred", None)
        return found

    @cached_property
    def uncentred(self) -> tuple[Preparation, Prepared]:
        """Of some of them: their median is asked for, and they take as much memory again."""
        return prepare_uncentred(self.raw[:: -(-len(self.raw) // _UNCENTRED)])

    def flips(self) -> Flips:
        """What flips are tested by: not kept, as it takes up to 17 times what was read."""
        return prepare_flip_references(self.raw[:, :MAX_FLIP_ROWS])

    def draw(self) -> None:
        """Draw the templates now, and not when they are asked for."""
        _ = self.templates

    @cached_property
    def templates(self) -> Templates:
        rng = np.random.default_rng(self._seed)
        return draw_templates(self.raw, self.preparation, rng, self._mantissa_bits)


@dataclass(slots=True)
class LastFlips:
    """Keeps what was made last: a layer's flips are asked for again by the null of the next one."""

    _of: LayerReferences | None = None
    _made: Flips | None = None

    def __call__(self, references: LayerReferences) -> Flips:
        """What flips are tested by against some references."""
        if self._made is None or self._of is not references:
            self._of = self._made = None
            self._of, self._made = references, references.flips()
        return self._made

    def settle(self, kept: Collection[LayerReferences]) -> None:
        """Keep it only if its references are among those that are kept."""
        if self._of not in kept:
            self._of = self._made = None


def without_nan(raw: Float32) -> Float32:
    """NaN codes as zeros: they carry no direction."""
    return np.nan_to_num(raw, nan=0.0) if np.isnan(raw.sum()) else raw
