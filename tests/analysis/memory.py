"""Experts in memory, that count what is read of them, and models made of simulated layers."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from inspector.analysis.expert_match import MatchResult, match_experts
from inspector.analysis.expert_question import MatchRequest
from inspector.format.dtypes import Dtype
from inspector.layout.families import Projection
from tests.stats.simulated import Layer, draw_layer
from tests.strategies_arrays import float32

Float32 = npt.NDArray[np.float32]

HEIGHT, NEURONS = 128, 128


@dataclass(frozen=True, slots=True)
class Read:
    """One call: rows of a projection of some experts of a layer; a value is one byte."""

    layer: int
    experts: tuple[int, ...]
    projection: Projection
    rows: tuple[int, ...]
    bytes: int


@dataclass(slots=True)
class MemoryExperts:
    """`down[layer]` is `[E, H, m]`; gate and up, `[E, m, H]`, both `gates[layer]`.

    Where there are none they are ones, zeros for the `dead`.
    """

    down: dict[int, Float32]
    dead: frozenset[tuple[int, int]] = frozenset()
    gates: dict[int, Float32] = field(default_factory=dict)
    reads: list[Read] = field(default_factory=list)

    @property
    def layers(self) -> tuple[int, ...]:
        return tuple(self.down)

    @property
    def total_bytes(self) -> int:
        return sum(3 * experts.size for experts in self.down.values())

    @property
    def bytes_read(self) -> int:
        return sum(read.bytes for read in self.reads)

    def experts(self, layer: int) -> tuple[int, ...]:
        return tuple(range(len(self.down[layer])))

    def shape(self, layer: int, projection: Projection) -> tuple[int, int]:
        _, height, neurons = self.down[layer].shape
        return (height, neurons) if projection is Projection.DOWN else (neurons, height)

    def read(
        self, layer: int, experts: Sequence[int], projection: Projection, rows: Sequence[int]
    ) -> Float32:
        cost = self.read_cost(layer, experts, projection, rows)
        self.reads.append(Read(layer, tuple(experts), projection, tuple(rows), cost))
        if projection is Projection.DOWN:
            return float32(self.down[layer][list(experts)][:, list(rows)])
        if layer in self.gates:
            return float32(self.gates[layer][list(experts)][:, list(rows)])
        values = np.ones((len(experts), len(rows), self.shape(layer, projection)[1]), np.float32)
        values[[(layer, expert) in self.dead for expert in experts]] = 0
        return values

    def scales(
        self, layer: int, experts: Sequence[int], projection: Projection, rows: Sequence[int]
    ) -> None:
        """Values are stored as they are."""

    def scale_cost(
        self, layer: int, experts: Sequence[int], projection: Projection, rows: Sequence[int]
    ) -> int:
        return 0

    def dtype(self, layer: int, projection: Projection) -> Dtype:
        return Dtype.F32

    def read_requests(
        self, layer: int, experts: Sequence[int], projection: Projection, rows: Sequence[int]
    ) -> int:
        return len(experts)

    def read_cost(
        self, layer: int, experts: Sequence[int], projection: Projection, rows: Sequence[int]
    ) -> int:
        return len(experts) * len(rows) * self.shape(layer, projection)[1]


def simulated_layers(
    count: int, seed: int, *, neurons: int = NEURONS
) -> tuple[dict[int, Layer], np.random.Generator]:
    """The shared directions of some layers, and the generator that goes on."""
    rng = np.random.default_rng(seed)
    layers = {number: draw_layer(HEIGHT, neurons, rng) for number in range(count)}
    for layer in layers.values():
        layer.row_scales[:] = np.minimum(layer.row_scales, 2.0)
    return layers, rng


def match(
    target: MemoryExperts,
    reference: MemoryExperts,
    *,
    layers: frozenset[int] | None = None,
    experts: frozenset[int] | None = None,
    seed: int = 0,
    max_bytes: int | None = None,
    same_model: bool = False,
) -> MatchResult:
    """The answer for two models in memory."""
    asked = request(
        layers=layers, experts=experts, seed=seed, max_bytes=max_bytes, same_model=same_model
    )
    return match_experts(target, reference, asked, lambda what, done, total: None)


def request(
    *,
    layers: frozenset[int] | None = None,
    experts: frozenset[int] | None = None,
    seed: int = 0,
    max_bytes: int | None = None,
    same_model: bool = False,
) -> MatchRequest:
    """What is asked of models in memory."""
    return MatchRequest(
        layers=layers,
        experts=experts,
        seed=seed,
        max_bytes=max_bytes,
        router_groups=None,
        same_model=same_model,
    )
