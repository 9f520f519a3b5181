"""Several references as one side of a match: their experts in one numbering, model after model."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

import numpy as np

from inspector.analysis.expert_sides import ExpertSide, Scales
from inspector.analysis.mapped_layers import MappedExperts
from inspector.decode.numeric import Float32
from inspector.errors import LayoutError
from inspector.format.dtypes import Dtype
from inspector.layout.families import Projection
from inspector.layout.layer_map import LayerMap


@dataclass(frozen=True, slots=True)
class Numbering:
    """Numbers of the experts of several models: those of a model begin at its offset.

    >>> both = Numbering((0, 128), ("a", "b"))
    >>> both.name(130), both.expert(130), both.expert(5)
    ('b', 2, 5)
    """

    offsets: tuple[int, ...] = (0,)
    names: tuple[str, ...] = ("",)

    @property
    def is_of_several(self) -> bool:
        return len(self.offsets) > 1

    def model(self, number: int) -> int:
        """The position of the model that has this expert."""
        return bisect_right(self.offsets, number) - 1

    def name(self, number: int) -> str:
        """What the model that has this expert is called."""
        return self.names[self.model(number)]

    def number(self, name: str, expert: int) -> int:
        """The number among all of an expert of the model that is called so."""
        return self.offsets[self.names.index(name)] + expert

    def expert(self, number: int) -> int:
        """The number of the expert in its own model."""
        return number - self.offsets[self.model(number)]


ONE_MODEL: Final = Numbering()
"""The numbering of a single reference."""


def numbered(sides: Sequence[ExpertSide], names: Sequence[str]) -> Numbering:
    """A numbering that has a place for every expert of every layer of each model."""
    widths = [
        1 + max((max(side.experts(layer)) for layer in side.layers), default=-1) for side in sides
    ]
    return Numbering((0, *accumulate(widths[:-1])), tuple(names))


class CombinedSide:
    """The experts of several models as those of one, in a `numbering` of which each has a part."""

    def __init__(self, sides: Sequence[ExpertSide], numbering: Numbering) -> None:
        self._sides = sides
        self.numbering = numbering
        self.layers = tuple(sorted({layer for side in sides for layer in side.layers}))

    def mapped(self, layer_maps: Sequence[LayerMap]) -> "CombinedSide":
        """The same experts, the layers of each model numbered by its own map."""
        pairs = zip(self._sides, layer_maps, strict=True)
        return CombinedSide([MappedExperts(*pair) for pair in pairs], self.numbering)

    @property
    def total_bytes(self) -> int:
        return sum(side.total_bytes for side in self._sides)

    def experts(self, layer: int) -> tuple[int, ...]:
        return tuple(
            offset + expert
            for offset, side in zip(self.numbering.offsets, self._sides, strict=True)
            if layer in side.layers
            for expert in side.experts(layer)
        )

    def shape(self, layer: int, projection: Projection) -> tuple[int, int]:
        """That of every model that has the layer.

        Raises:
            LayoutError: their experts differ in size.
        """
        having = [
            (side.shape(layer, projection), name)
            for side, name in zip(self._sides, self.numbering.names, strict=True)
            if layer in side.layers
        ]
        (expected, its_name), *others = having
        for found, name in others:
            if found != expected:
                raise LayoutError(
                    f"layer {layer}: {projection} is {list(expected)} in {its_name} and "
                    f"{list(found)} in {name}",
                    hint="references of one match need experts of one size; name them one at a "
                    "time",
                )
        return expected

    def read(
        self, layer: int, experts: Sequence[int], projection: Projection, rows: Sequence[int]
    ) -> Float32:
        parts = self._parts(experts)
        found = [one.side.read(layer, one.experts, projection, rows) for one in parts]
        return np.concatenate(found)[_back(parts)]

    def read_cost(
        self, layer: int, experts: Sequence[int], projection: Projection, rows: Sequence[int]
    ) -> int:
        return sum(
            one.side.read_cost(layer, one.experts, projection, rows) for one in self._parts(experts)
        )

    def read_requests(
        self, layer: int, experts: Sequence[int], projection: Projection, rows: Sequence[int]
    ) -> int:
        return sum(
            one.side.read_requests(layer, one.experts, projection, rows)
            for one in self._parts(experts)
        )

    def scales(
        self, layer: int, experts: Sequence[int], projection: Projection, rows: Sequence[int]
    ) -> Scales | None:
        """What `read` left out; 1 where a model has no scales, or they are in already."""
        parts = self._parts(experts)
        found = [one.side.scales(layer, one.experts, projection, rows) for one in parts]
        if all(one is None for one in found):
            return None
        shape = len(rows), self.shape(layer, projection)[1]
        values = [
            np.ones((len(part.experts), *shape), dtype=np.float32)
            if one is None or one.applied
            else one.values
            for part, one in zip(parts, found, strict=True)
        ]
        return Scales(np.concatenate(values)[_back(parts)], applied=False)

    def scale_cost(
        self, layer: int, experts: Sequence[int], projection: Projection, rows: Sequence[int]
    ) -> int:
        return sum(
            one.side.scale_cost(layer, one.experts, projection, rows)
            for one in self._parts(experts)
        )

    def dtype(self, layer: int, projection: Projection) -> Dtype:
        """That of the first model that has the layer and stores it unrounded, if any does.

        Codes are then compared for equality: a copy of a rounded model is a near copy at least.
        """
        found = [side.dtype(layer, projection) for side in self._sides if layer in side.layers]
        return max(found, key=lambda one: one.bits)

    def _parts(self, experts: Sequence[int]) -> list["_Part"]:
        """The experts by model, each with the places that they have among those asked for."""
        numbers = np.asarray(experts, dtype=np.int64)
        of_model = np.searchsorted(self.numbering.offsets, numbers, side="right") - 1
        return [
            _Part(side, (numbers[places] - offset).tolist(), places.tolist())
            for model, (side, offset) in enumerate(
                zip(self._sides, self.numbering.offsets, strict=True)
            )
            if len(places := np.flatnonzero(of_model == model))
        ]


@dataclass(frozen=True, slots=True)
class _Part:
    """Experts of one model, and where they stand among all."""

    side: ExpertSide
    experts: list[int]
    places: list[int]


def _back(parts: Sequence[_Part]) -> list[int]:
    """The order that brings the parts, one after another, back to what was asked for."""
    places = [place for part in parts for place in part.places]
    return sorted(range(len(places)), key=places.__getitem__)
