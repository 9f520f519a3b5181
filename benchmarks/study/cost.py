"""What a full run costs: bytes and requests of its plan, seconds of one layer on this machine."""

from collections.abc import Sequence

import numpy as np

from benchmarks.similarity import AT_8_ROWS, layer_timings
from benchmarks.study.outcome import Outcome
from benchmarks.study.tasks import Parameters
from inspector.analysis.expert_match import LOOK_ROWS
from inspector.analysis.expert_plan import plan_match
from inspector.analysis.expert_question import MatchRequest, Question
from inspector.analysis.expert_sides import Scales
from inspector.analysis.plan import totals_of
from inspector.decode.numeric import Float32
from inspector.format.dtypes import Dtype
from inspector.layout.families import Projection

_LAYERS, _HIDDEN, _NEURONS = 94, 4096, 1536
_REQUESTS_AT_ONCE, _ROUND_TRIP, _BYTES_A_SECOND = 64, 0.05, 125_000_000


class SizedExperts:
    """Experts that have a size and no values: a plan can be made for them."""

    layers = tuple(range(_LAYERS))

    def __init__(self, experts: int, value_bytes: int) -> None:
        self._count = experts
        self._value_bytes = value_bytes
        self.total_bytes = 3 * _LAYERS * experts * _HIDDEN * _NEURONS * value_bytes

    def experts(self, layer: int) -> tuple[int, ...]:
        del layer
        return tuple(range(self._count))

    def shape(self, layer: int, projection: Projection) -> tuple[int, int]:
        del layer
        down = projection is Projection.DOWN
        return (_HIDDEN, _NEURONS) if down else (_NEURONS, _HIDDEN)

    def read(
        self, layer: int, experts: Sequence[int], projection: Projection, rows: Sequence[int]
    ) -> Float32:
        raise NotImplementedError("a plan reads nothing")

    def read_requests(
        self, layer: int, experts: Sequence[int], projection: Projection, rows: Sequence[int]
    ) -> int:
        del layer, projection, rows
        return len(experts)

    def read_cost(
        self, layer: int, experts: Sequence[int], projection: Projection, rows: Sequence[int]
    ) -> int:
        return len(experts) * len(rows) * self.shape(layer, projection)[1] * self._value_bytes

    def scales(
        self, layer: int, experts: Sequence[int], projection: Projection, rows: Sequence[int]
    ) -> Scales | None:
        raise NotImplementedError("a plan reads nothing")

    def scale_cost(
        self, layer: int, experts: Sequence[int], projection: Projection, rows: Sequence[int]
    ) -> int:
        del layer, projection, rows
        return 4 * len(experts) * (_HIDDEN // 128) * (_NEURONS // 128)

    def dtype(self, layer: int, projection: Projection) -> Dtype:
        del layer, projection
        return Dtype.F8_E4M3 if self._value_bytes == 1 else Dtype.BF16


def plan_cost(parameters: Parameters, rng: np.random.Generator) -> Outcome:
    """The plan of 512 FP8 experts against 128 BF16 ones in 94 layers, with the default budget."""
    del parameters, rng
    request = MatchRequest(layers=None, experts=None, seed=0, max_bytes=None, router_groups=8)
    sides = SizedExperts(512, 1), SizedExperts(128, 2)
    reads = plan_match(*sides, request, LOOK_ROWS)
    (first,) = (one for one in reads if one.what.startswith("8 rows"))
    total = totals_of(reads, Question(*sides, request).budget).bytes
    seconds = max(first.requests * _ROUND_TRIP / _REQUESTS_AT_ONCE, first.bytes / _BYTES_A_SECOND)
    return Outcome(
        samples={
            "first look GB": [first.bytes / 1e9],
            "first look requests": [first.requests],
            "first look minutes": [seconds / 60],
            "all GB": [total / 1e9],
        }
    )


def layer_seconds(parameters: Parameters, rng: np.random.Generator) -> Outcome:
    """Wall seconds of one layer of 512 x 128 at 8 rows, with its null, over `rounds` rounds."""
    del rng
    timings = layer_timings(int(parameters["rounds"]))
    return Outcome(samples={"seconds": [round(one, 3) for one in timings[AT_8_ROWS].warm]})
