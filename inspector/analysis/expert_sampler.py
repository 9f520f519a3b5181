"""What is sampled: rows of `down_proj` of both models, the same for every layer and every expert.

So pairs from different layers share coordinates and calibrate each other.
"""

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from inspector.analysis.expert_sides import Ahead, ExpertSide, Scales, when_asked
from inspector.analysis.layer_references import LastFlips, LayerReferences, without_nan
from inspector.decode.numeric import Float32
from inspector.decode.rounding import MANTISSA_BITS
from inspector.layout.families import Projection
from inspector.stats.contrast import MIN_POOL

Ints = npt.NDArray[np.int64]

_Key = tuple[bool, int, tuple[int, ...], int]
"""Whether of the target, layer, experts, and how many rows."""

_FLOAT_BYTES: Final = 4
_HALF_BYTES: Final = 2
_LEAST_LAYERS: Final = 1
_NULL_LAYERS: Final = 4

_PORTION_BYTES: Final = 32_000_000
"""Raw rows of targets that are looked at together; what is made of them takes some times more."""

_KEPT_BYTES: Final = 160_000_000
"""References that are kept for the layers after theirs, prepared, beside those of the layer that is
looked at. Of two layers that are larger, one is kept whole and some references of the other."""

_SOME: Final = 32
"""References of another layer that tell a null where they are too large: with 64 targets, enough
tests for a calibration."""

AHEAD: Final = 2
"""Looks whose rows are begun to be read before they are needed: one is there when the next begins,
and the last requests of one go out beside the first of the other."""

_AHEAD_BYTES: Final = 64_000_000
"""Values that are read before they are needed; what does not fit waits until there is room."""


@dataclass(slots=True)
class Sampler:
    """Reads the chosen rows of `down_proj` of both sides; keeps references for their neighbours.

    `origins` says which layers of which reference models a layer is compared with, where it is not
    the one of its number. `spent` counts the bytes that reads were estimated to take, `allowance`
    bounds them; of what is left, `reserved` is for reads that must be, in layers after the one that
    is looked at. `related` says that the experts seen last resemble references: those that are read
    next get their templates at once.
    """

    target: ExpertSide
    reference: ExpertSide
    layers: Sequence[int]
    rows: Sequence[int]
    seed: int = 0
    allowance: int = sys.maxsize
    spent: int = 0
    reserved: int = 0
    related: bool = False
    origins: Mapping[int, frozenset[tuple[int, int]]] = field(default_factory=dict)
    ahead: Ahead = when_asked
    flips: LastFlips = field(default_factory=LastFlips)
    _references: dict[tuple[int, int], LayerReferences] = field(default_factory=dict)
    _begun: dict[_Key, Callable[[], Float32]] = field(default_factory=dict)
    _coming: dict[_Key, Callable[[], LayerReferences]] = field(default_factory=dict)
    _owed: dict[_Key, int] = field(default_factory=dict)
    _layer: int | None = None

    def portions(self, layer: int, experts: Ints, count: int) -> list[Ints]:
        """Experts of a layer in as many portions as memory asks for, each spread over all."""
        neurons = self.target.shape(layer, Projection.DOWN)[1]
        size = max(1, _PORTION_BYTES // (count * neurons * _FLOAT_BYTES))
        number = -(-len(experts) // size)
        return [experts[start::number] for start in range(number)]

    def targets(self, layer: int, experts: Ints, count: int) -> Float32:
        """`[experts, count, m]` of a layer's target experts."""
        key = True, layer, tuple(experts.tolist()), count
        self._pay(key)
        begun = self._begun.pop(key, None)
        return begun() if begun else self._read_down(key)

    def promise(self, layer: int, experts: Ints, count: int) -> None:
        """A layer will be looked at: what it takes may not be spent on anything else."""
        for some in self.portions(layer, experts, count):
            self._owe((True, layer, tuple(some.tolist()), count))
        if (layer, count) not in self._references:
            self._owe((False, layer, tuple(self.reference.experts(layer)), count))

    def expect(self, layer: int, experts: Ints, count: int) -> None:
        """Begin to read what a look will ask for next: some experts, and the layer's references."""
        wanted = self._owe((True, layer, tuple(experts.tolist()), count))
        if self._fits_ahead(wanted):
            self._begun[wanted] = self.ahead(lambda: self._read_down(wanted))
        if (layer, count) not in self._references:
            key = self._owe((False, layer, tuple(self.reference.experts(layer)), count))
            if self._fits_ahead(key):
                drawn = self.related
                self._coming[key] = self.ahead(lambda: self._prepared(key, drawn=drawn))

    def _prepared(self, key: _Key, *, drawn: bool = False) -> LayerReferences:
        """References, read and made ready; `drawn` with their templates."""
        raw = self._read_down(key)
        stored = self.target.dtype(key[1], Projection.DOWN)
        found = LayerReferences(without_nan(raw), self.seed, MANTISSA_BITS.get(stored))
        if drawn:
            found.draw()
        return found

    def _side(self, key: _Key) -> ExpertSide:
        return self.target if key[0] else self.reference

    def _read_down(self, key: _Key) -> Float32:
        _, layer, experts, count = key
        return self._side(key).read(layer, experts, Projection.DOWN, self.rows[:count])

    def _cost_down(self, key: _Key) -> int:
        _, layer, experts, count = key
        return self._side(key).read_cost(layer, experts, Projection.DOWN, self.rows[:count])

    def _fits_ahead(self, key: _Key) -> bool:
        """Whether values are not under way and there is room for them before they are needed."""
        under_way = self._begun.keys() | self._coming.keys()
        return key not in under_way and sum(map(self._size, (key, *under_way))) <= _AHEAD_BYTES

    def _size(self, key: _Key) -> int:
        """What values take once they are read."""
        _, layer, experts, count = key
        return (
            len(experts) * count * self._side(key).shape(layer, Projection.DOWN)[1] * _FLOAT_BYTES
        )

    def _owe(self, key: _Key) -> _Key:
        self._owed[key] = self._cost_down(key)
        return key

    def _pay(self, key: _Key) -> None:
        """What is read now is spent, and no more promised."""
        self.spent += self._cost_down(key)
        self._owed.pop(key, None)

    def references(self, layer: int, count: int) -> LayerReferences:
        """A layer's references, prepared; kept until they are forgotten."""
        if (layer, count) not in self._references:
            key = False, layer, tuple(self.reference.experts(layer)), count
            self._pay(key)
            coming = self._coming.pop(key, None)
            self._references[layer, count] = coming() if coming else self._prepared(key)
        return self._references[layer, count]

    def references_apart(self, layer: int, count: int) -> LayerReferences:
        """References of a layer as the null of another needs them: some, where all are too many."""
        if (layer, count) in self._references:
            return self._references[layer, count]
        step = self._step_apart(layer, count)
        if step == 1:
            return self.references(layer, count)
        experts = self.reference.experts(layer)[::step]
        raw = self.read(self.reference, layer, experts, Projection.DOWN, self.rows[:count])
        return LayerReferences(without_nan(raw), self.seed)

    def _step_apart(self, layer: int, count: int) -> int:
        """Every which reference of another layer is enough."""
        references = len(self.reference.experts(layer))
        fits = 2 * self._prepared_bytes(layer, count) <= _KEPT_BYTES
        return 1 if fits else max(1, references // _SOME)

    def _prepared_bytes(self, layer: int, count: int) -> int:
        """What the references of a layer take while they are kept."""
        neurons = self.reference.shape(layer, Projection.DOWN)[1]
        values = len(self.reference.experts(layer)) * count * neurons
        return values * (_FLOAT_BYTES + _HALF_BYTES)

    def forget(self) -> None:
        """Keep no references: each layer's is read once a look, in the order of the looks."""
        self._references.clear()
        self.flips.settle(())

    def begin(self, layer: int, count: int) -> None:
        """Keep the references that a look at a layer needs, and none that only others did."""
        needed = {(one, count) for one in (layer, *self.null_layers(layer, count))}
        for key in self._references.keys() - needed:
            del self._references[key]
        for key in self._references.keys() - {(layer, count)}:
            if key[0] < layer:
                self._thin(key)
        self._layer = layer
        self.flips.settle(self._references.values())

    def _thin(self, key: tuple[int, int]) -> None:
        """Of references that are too large for that, keep as many as tell another layer's null."""
        own, step = self._references[key], self._step_apart(*key)
        if step > 1 and len(own.raw) == len(self.reference.experts(key[0])):
            self._references[key] = own.every(step)

    def tested(self, layer: int, count: int) -> LayerReferences:
        """A layer's references after its signed tests, without what these alone need."""
        own = self._references[layer, count]
        self._thin((layer, count))
        return own.as_they_are()

    def settle(self, layer: int, count: int) -> None:
        """The layers apart have told a layer's null: keep what the next layer's look needs."""
        later = [one for one in self.layers if one > layer][:1]
        apart = (other for one in later for other in self.null_layers(one, count))
        needed = {layer, *later, *apart}
        for key in self._references.keys() - {(one, count) for one in needed}:
            del self._references[key]

    def cost(self, layer: int, experts: Ints, count: int) -> int:
        """Bytes of a look at some experts of a layer, and at references that are not kept.

        What is promised of the layer is left out: `affords` counts it.
        """
        rows = self.rows[:count]
        asked = {layer: 1} | {
            one: self._step_apart(one, count) for one in self.null_layers(layer, count)
        }
        whole = self.target.read_cost(layer, experts.tolist(), Projection.DOWN, rows) + sum(
            self.reference.read_cost(
                one, self.reference.experts(one)[::step], Projection.DOWN, rows
            )
            for one, step in asked.items()
            if (one, count) not in self._references
        )
        return whole - sum(cost for key, cost in self._owed.items() if key[1] == layer)

    def null_layers(self, layer: int, count: int) -> list[int]:
        """Layers whose references cannot be related to a layer's experts; none that it maps to."""
        own = self.origins.get(layer, frozenset({(0, layer)}))
        apart = [
            one
            for one in self.layers
            if one == layer or own.isdisjoint(self.origins.get(one, frozenset({(0, one)})))
        ]
        return null_layers(apart, layer, self._width(layer, count))

    def _width(self, layer: int, count: int) -> int:
        """How many other layers calibrate a layer: as many as are wanted, or as can be kept.

        Where references are few, those of other layers are the contrast, and all must be there.
        """
        references = len(self.reference.experts(layer))
        kept = _KEPT_BYTES // self._prepared_bytes(layer, count)
        wanted = null_width(len(self.layers), references)
        return wanted if references <= MIN_POOL else min(wanted, max(_LEAST_LAYERS, kept - 1))

    def affords(self, cost: int) -> bool:
        """Whether so many bytes more may be read, beside those that were promised."""
        here = sum(owed for key, owed in self._owed.items() if key[1] == self._layer)
        after = sum(self._owed.values()) - here
        return self.spent + here + max(self.reserved, after) + cost <= self.allowance

    def scales(
        self,
        side: ExpertSide,
        layer: int,
        experts: Sequence[int],
        rows: Sequence[int],
        projection: Projection = Projection.DOWN,
    ) -> Scales | None:
        """The scales of a matrix of a side, counting what they take."""
        self.spent += side.scale_cost(layer, experts, projection, rows)
        return side.scales(layer, experts, projection, rows)

    def read(
        self,
        side: ExpertSide,
        layer: int,
        experts: Sequence[int],
        projection: Projection,
        rows: Sequence[int],
    ) -> Float32:
        """Read from a side, counting what it takes."""
        self.spent += side.read_cost(layer, experts, projection, rows)
        return side.read(layer, experts, projection, rows)


def null_width(layers: int, references: int) -> int:
    """How many other layers calibrate a layer; enough for a contrast where references are few."""
    return min(layers - 1, max(_NULL_LAYERS, math.ceil(2 * MIN_POOL / max(1, references))))


def null_layers(layers: Sequence[int], layer: int, width: int) -> list[int]:
    """The layers before `layer`; for the first few, those around it. So few are held at a time.

    >>> null_layers(range(10), 7, 4), null_layers(range(10), 1, 4)
    ([3, 4, 5, 6], [0, 2, 3, 4])
    """
    position = list(layers).index(layer)
    start = max(0, position - width)
    stop = position if position >= width else width + 1
    return [other for other in layers[start:stop] if other != layer]
