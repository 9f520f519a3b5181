"""What is read of two models whose tensors may lie along different axes, and which way is taken.

A statistic needs the same numbers of both sides: some hidden coordinates of some neurons. A tensor
stored outputs first has a hidden coordinate of all neurons in a row of `down_proj`, and a neuron in
a row of `gate_proj`; one stored inputs first has them the other way round.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np

from inspector.analysis.expert_family import CombinedSide, Numbering
from inspector.analysis.expert_sides import ExpertSide, Scales
from inspector.analysis.rows_on_disk import RowsOnDisk
from inspector.analysis.sampled_rows import BLOCK_ROWS
from inspector.decode.numeric import Float32
from inspector.format.dtypes import Dtype
from inspector.layout.families import Projection

_AT_A_TIME: Final = 16
"""Experts whose neurons are held whole: 128 neurons of 4096 coordinates of 16 are 34 MB."""

_PLAIN: Final = frozenset({Dtype.BF16, Dtype.F16, Dtype.F32})


@dataclass(frozen=True, slots=True)
class Reading:
    """The numbers that are compared: hidden coordinates of `neurons` of `matrix`, None for all."""

    matrix: Projection = Projection.DOWN
    neurons: range | None = None

    def described(self, neurons: int) -> str:
        """What it is, where experts have so many neurons."""
        if self.neurons is None:
            return f"{self.matrix}, all {neurons:,} neurons"
        first, last = self.neurons[0], self.neurons[-1]
        return f"{self.matrix}, neurons {first}..{last} of {neurons:,}"


WHOLE: Final = Reading()
"""Rows of `down_proj` as they are: what the specification samples."""


class Ways(Protocol):
    """The experts of one model or several, as they are and as a reading has them."""

    @property
    def straight(self) -> ExpertSide:
        """Each matrix as it is."""

    def sampled(self, reading: Reading, rows: Sequence[int]) -> ExpertSide:
        """What is compared as rows of `down_proj`; `rows` tell which way to read takes least."""


@dataclass(frozen=True, slots=True)
class BothWays:
    """The experts of one model, each matrix as it is, and `turned`: as its transpose."""

    straight: ExpertSide
    turned: ExpertSide

    def sampled(self, reading: Reading, rows: Sequence[int]) -> "SampledSide":
        """What a reading has of them, across neurons or along them: what takes fewer bytes."""
        across = SampledSide(self, reading, along=False)
        if reading.neurons is None:
            return across
        along = SampledSide(self, reading, along=True)
        layer = self.straight.layers[0]
        asked = layer, self.straight.experts(layer)[:1], Projection.DOWN, rows
        return along if along.read_cost(*asked) < across.read_cost(*asked) else across


@dataclass(frozen=True, slots=True)
class CombinedWays:
    """The experts of several models, each read the way that suits it."""

    models: Sequence[BothWays]
    numbering: Numbering

    @property
    def straight(self) -> CombinedSide:
        return CombinedSide([one.straight for one in self.models], self.numbering)

    def sampled(self, reading: Reading, rows: Sequence[int]) -> CombinedSide:
        return CombinedSide([one.sampled(reading, rows) for one in self.models], self.numbering)


@dataclass(slots=True)
class SampledSide:
    """One side of a match, whose `down_proj` is what `reading` says: `[hidden, neurons]`.

    `along`: rows of the matrix are neurons here. They are read whole, once an expert, and of them
    the block of hidden coordinates that is asked for is kept, on disk: 32 KB an expert where it is
    128 of 128 neurons, 0.4 GB of 12,032 references. Other coordinates cost no more.
    """

    ways: BothWays
    reading: Reading
    along: bool
    _kept: RowsOnDisk = field(default_factory=RowsOnDisk)

    @property
    def layers(self) -> tuple[int, ...]:
        return self.ways.straight.layers

    @property
    def total_bytes(self) -> int:
        return self.ways.straight.total_bytes

    def experts(self, layer: int) -> tuple[int, ...]:
        return self.ways.straight.experts(layer)

    def shape(self, layer: int, projection: Projection) -> tuple[int, int]:
        shape = self.ways.straight.shape(layer, projection)
        if projection is Projection.DOWN and self.reading.neurons is not None:
            return shape[0], len(self.reading.neurons)
        return shape

    def read(
        self, layer: int, experts: Sequence[int], projection: Projection, rows: Sequence[int]
    ) -> Float32:
        if projection is not Projection.DOWN:
            return self.ways.straight.read(layer, experts, projection, rows)
        if not self.along:
            values = self._by_hidden.read(layer, experts, self.reading.matrix, rows)
            return self._windowed(values)
        block = self._block(layer, rows)
        missing = [expert for expert in experts if (layer, expert) not in self._kept]
        for start in range(0, len(missing), _AT_A_TIME):
            some = missing[start : start + _AT_A_TIME]
            found = self._by_neuron.read(layer, some, self.reading.matrix, self._neurons)
            for expert, values in zip(some, found, strict=True):
                self._kept.put((layer, expert), values[:, block.start : block.stop].T)
        chosen = np.asarray(rows, dtype=np.int64) - block.start
        return np.stack([self._kept.take((layer, expert))[chosen] for expert in experts])

    def read_cost(
        self, layer: int, experts: Sequence[int], projection: Projection, rows: Sequence[int]
    ) -> int:
        asked = self._asked(layer, experts, projection, rows)
        return asked.side.read_cost(layer, asked.experts, asked.projection, asked.rows)

    def read_requests(
        self, layer: int, experts: Sequence[int], projection: Projection, rows: Sequence[int]
    ) -> int:
        asked = self._asked(layer, experts, projection, rows)
        return asked.side.read_requests(layer, asked.experts, asked.projection, asked.rows)

    def scales(
        self, layer: int, experts: Sequence[int], projection: Projection, rows: Sequence[int]
    ) -> Scales | None:
        """Of rows of `down_proj`; what is read otherwise is decoded already."""
        if projection is Projection.DOWN and not self._has_codes:
            return None
        found = self.ways.straight.scales(layer, experts, projection, rows)
        if found is None or projection is not Projection.DOWN:
            return found
        return Scales(self._windowed(found.values), found.applied)

    def scale_cost(
        self, layer: int, experts: Sequence[int], projection: Projection, rows: Sequence[int]
    ) -> int:
        if projection is Projection.DOWN and not self._has_codes:
            return 0
        return self.ways.straight.scale_cost(layer, experts, projection, rows)

    def dtype(self, layer: int, projection: Projection) -> Dtype:
        stored = self.ways.straight.dtype(layer, projection)
        is_decoded = projection is Projection.DOWN and not self._has_codes
        return Dtype.F32 if is_decoded and stored not in _PLAIN else stored

    @property
    def _has_codes(self) -> bool:
        """Whether `read` gives rows of `down_proj` as they are stored."""
        return self.reading.matrix is Projection.DOWN and not self.along

    @property
    def _by_hidden(self) -> ExpertSide:
        """The side whose rows of the matrix are hidden coordinates."""
        down = self.reading.matrix is Projection.DOWN
        return self.ways.straight if down else self.ways.turned

    @property
    def _by_neuron(self) -> ExpertSide:
        down = self.reading.matrix is Projection.DOWN
        return self.ways.turned if down else self.ways.straight

    @property
    def _neurons(self) -> range:
        if self.reading.neurons is None:
            raise ValueError("neurons are read one by one only where some are chosen")
        return self.reading.neurons

    def _asked(
        self, layer: int, experts: Sequence[int], projection: Projection, rows: Sequence[int]
    ) -> "_Asked":
        """What is read for some rows of some experts, as far as it is not kept."""
        if projection is not Projection.DOWN:
            return _Asked(self.ways.straight, experts, projection, rows)
        if not self.along:
            return _Asked(self._by_hidden, experts, self.reading.matrix, rows)
        missing = [expert for expert in experts if (layer, expert) not in self._kept]
        return _Asked(self._by_neuron, missing, self.reading.matrix, self._neurons)

    def _block(self, layer: int, rows: Sequence[int]) -> range:
        """The block of hidden coordinates in which all sampled ones lie."""
        start = min(rows) - min(rows) % BLOCK_ROWS
        return range(start, min(self.shape(layer, Projection.DOWN)[0], start + BLOCK_ROWS))

    def _windowed(self, values: Float32) -> Float32:
        neurons = self.reading.neurons
        return values if neurons is None else values[:, :, neurons.start : neurons.stop]


@dataclass(frozen=True, slots=True)
class _Asked:
    """One read of one of the two ways."""

    side: ExpertSide
    experts: Sequence[int]
    projection: Projection
    rows: Sequence[int]
