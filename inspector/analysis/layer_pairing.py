"""Which layer of the reference each layer of a model is compared with, and who said so."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import msgspec
import numpy as np

from inspector.layout.layer_map import described, parse_layer_map
from inspector.stats.layer_alignment import align_layers
from inspector.stats.shared_basis import Float64

AUTO: Final = "auto"
"""What is typed for a map that norms propose, where numbers would say it otherwise."""

_LOG10_ALPHA: Final = -3.0


class Origin(StrEnum):
    """Where a map of layers comes from."""

    SAME_NUMBERS = "same_numbers"
    GIVEN = "given"
    NORMS = "norms"


class LayerPair(msgspec.Struct, frozen=True, kw_only=True):
    """A layer and that of the reference it is compared with.

    `effect` is the correlation of what their norm gains have of their own, `runner_up` that of the
    next best layer of the reference, `log10_p` that of the effect over all pairs of layers; None
    where the map was not proposed.
    """

    layer: int
    ref_layer: int
    effect: float | None = None
    runner_up: float | None = None
    log10_p: float | None = None


class LayerMapFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A map of layers: the shortest rule that gives it, its origin, and its pairs."""

    map: str
    origin: str
    pairs: list[LayerPair]

    @property
    def numbers(self) -> dict[int, int]:
        """Layer of the model -> layer of the reference."""
        return {pair.layer: pair.ref_layer for pair in self.pairs}

    @property
    def weakest(self) -> LayerPair | None:
        """The proposed pair with the smallest effect; None where norms proposed none."""
        proposed = [pair for pair in self.pairs if pair.effect is not None]
        return min(proposed, key=lambda pair: pair.effect or 0.0, default=None)


@dataclass(frozen=True, slots=True)
class LayerQuestion:
    """The layers of both sides that have experts, and what was typed of them, if anything."""

    layers: Sequence[int]
    references: Sequence[int]
    typed: str | None

    @property
    def is_open(self) -> bool:
        """Whether norms are asked: nothing was typed and counts differ, or `auto` was."""
        if self.typed is not None:
            return self.typed.strip() == AUTO
        return len(self.layers) != len(self.references)


Gains = Mapping[int, Float64]
"""By layer, the gains of one norm, `[H]`."""


def pair_layers(question: LayerQuestion, gains: Mapping[str, tuple[Gains, Gains]]) -> LayerMapFacts:
    """The map: what was typed, else what norms propose where counts differ, else the same number.

    Layers for which norms say nothing clear are left out of a proposal; where they say it of none,
    layers of the same number are compared.

    Raises:
        UsageError: what was typed means no pair of layers.
    """
    if question.typed is not None and not question.is_open:
        found = parse_layer_map(
            question.typed, question.layers, question.references, option="--layer-map"
        )
        return _facts(found, Origin.GIVEN)
    if question.is_open:
        pairs = _proposed(question, gains)
        if pairs:
            numbers = {pair.layer: pair.ref_layer for pair in pairs}
            return LayerMapFacts(map=described(numbers), origin=Origin.NORMS.value, pairs=pairs)
    there = frozenset(question.references)
    same = {layer: layer for layer in question.layers if layer in there}
    return _facts(same, Origin.SAME_NUMBERS)


def _facts(numbers: Mapping[int, int], origin: Origin) -> LayerMapFacts:
    pairs = [LayerPair(layer=layer, ref_layer=other) for layer, other in numbers.items()]
    return LayerMapFacts(map=described(numbers), origin=origin.value, pairs=pairs)


def _proposed(question: LayerQuestion, gains: Mapping[str, tuple[Gains, Gains]]) -> list[LayerPair]:
    """The pairs that norms show beyond doubt. All norms of a layer together are one vector."""
    layers, references = (
        [one for one in numbers if all(one in sides[side] for sides in gains.values())]
        for side, numbers in enumerate((question.layers, question.references))
    )
    if not gains or not layers or not references:
        return []
    ours, theirs = (
        np.concatenate(
            [_standard([sides[side][one] for one in numbers]) for sides in gains.values()], axis=1
        )
        for side, numbers in enumerate((layers, references))
    )
    found = align_layers(ours, theirs)
    if found is None:
        return []
    return [
        LayerPair(
            layer=layers[at],
            ref_layer=references[int(found.nearest[at])],
            effect=round(float(found.effect[at]), 4),
            runner_up=round(float(found.runner_up[at]), 4),
            log10_p=round(float(found.log10_p[at]), 3),
        )
        for at in np.flatnonzero(found.is_clear(_LOG10_ALPHA)).tolist()
    ]


def _standard(layers: Sequence[Float64]) -> Float64:
    """Each layer's gains to mean zero and deviation one: norms of other sizes count alike."""
    gains = np.stack(layers)
    deviation = gains.std(axis=1, keepdims=True)
    centred = gains - gains.mean(axis=1, keepdims=True)
    return np.asarray(np.divide(centred, deviation, out=np.zeros_like(centred),
                                where=deviation > 0))  # fmt: skip
