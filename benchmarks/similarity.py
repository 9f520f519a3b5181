"""A look at one layer, 512 experts against 128: computing only, with and without its null."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from benchmarks.table import milliseconds, print_table, print_targets
from benchmarks.timing import Timing, time_rounds
from inspector.analysis.expert_looks import look_at_layer
from inspector.analysis.expert_sampler import Sampler
from inspector.analysis.layer_look import LookRules
from inspector.decode.numeric import Float32
from inspector.format.dtypes import Dtype
from inspector.layout.families import Projection

EXPERTS: Final = 512
REFERENCES: Final = 128
NEURONS: Final = 1536
ROWS: Final = (8, 32)
LAYERS: Final = 6
ROUNDS: Final = 6
AT_8_ROWS: Final = "k = 8, with its null"
"""The contestant that has a number to reach."""
RULES: Final = LookRules(clear_z=6.1, with_flips=True, permuted_experts=0, same_model=False)


class ArrayExperts:
    """Experts that are arrays already: reading them is a slice."""

    total_bytes = 0

    def __init__(self, layers: Sequence[Float32]) -> None:
        self._layers = layers
        self.layers = tuple(range(len(layers)))

    def experts(self, layer: int) -> tuple[int, ...]:
        return tuple(range(len(self._layers[layer])))

    def shape(self, layer: int, projection: Projection) -> tuple[int, int]:
        del projection
        return self._layers[layer].shape[1], NEURONS

    def read(
        self, layer: int, experts: Sequence[int], projection: Projection, rows: Sequence[int]
    ) -> Float32:
        del projection
        found = self._layers[layer]
        whole = len(experts) == len(found)
        return found[:, : len(rows)] if whole else found[list(experts), : len(rows)]

    def scales(
        self, layer: int, experts: Sequence[int], projection: Projection, rows: Sequence[int]
    ) -> None:
        """Values are stored as they are."""

    def scale_cost(
        self, layer: int, experts: Sequence[int], projection: Projection, rows: Sequence[int]
    ) -> int:
        del layer, experts, projection, rows
        return 0

    def dtype(self, layer: int, projection: Projection) -> Dtype:
        del layer, projection
        return Dtype.F32

    def read_requests(
        self, layer: int, experts: Sequence[int], projection: Projection, rows: Sequence[int]
    ) -> int:
        del layer, projection, rows
        return len(experts)

    def read_cost(
        self, layer: int, experts: Sequence[int], projection: Projection, rows: Sequence[int]
    ) -> int:
        del layer, experts, projection, rows
        return 0


def layer_timings(rounds: int) -> dict[str, Timing]:
    """A layer in the middle of a run: the layers that calibrate it are prepared already."""
    rng = np.random.default_rng(0)
    height = max(ROWS)
    reference = [
        rng.standard_normal((REFERENCES, height, NEURONS), np.float32) for _ in range(LAYERS)
    ]
    noise = rng.standard_normal((EXPERTS, height, NEURONS), np.float32)
    target = reference[-1][np.arange(EXPERTS) % REFERENCES] + np.float32(0.5) * noise
    targets = ArrayExperts([*(noise for _ in range(LAYERS - 1)), target])
    sides = targets, ArrayExperts(reference)
    contestants = {}
    for count in ROWS:
        contestants[f"k = {count}, with its null"] = OneLayer(*sides, range(LAYERS), count)
        contestants[f"k = {count}, without"] = OneLayer(*sides, [LAYERS - 1], count)
    return time_rounds(contestants, rounds=rounds)


def main(rounds: int = ROUNDS) -> None:
    """Print how long a layer takes."""
    timings = layer_timings(rounds)
    rows = [
        (name, milliseconds(timing.cold), milliseconds(timing.minimum), milliseconds(timing.median))
        for name, timing in timings.items()
    ]
    what = f"one layer, {EXPERTS} x {REFERENCES} experts of {NEURONS} neurons"
    title = f"similarity: {what}, {rounds} rounds"
    print_table(title, ("", "first", "minimum", "median"), rows)
    print_targets([("seconds, k = 8 with its null", timings[AT_8_ROWS].median, "<= 1")])


class OneLayer:
    """One look at the last of `layers`, references of the layer itself prepared anew each time."""

    def __init__(
        self, target: ArrayExperts, reference: ArrayExperts, layers: Sequence[int], count: int
    ) -> None:
        self._sampler = Sampler(target, reference, layers, range(max(ROWS)))
        self._count = count
        self._experts = np.arange(EXPERTS, dtype=np.int64)
        for layer in list(layers)[:-1]:
            self._sampler.references(layer, count)

    def __call__(self) -> None:
        layer = self._sampler.layers[-1]
        self._sampler._references.pop((layer, self._count), None)
        looks, _ = look_at_layer(self._sampler, layer, self._experts, self._count, RULES)
        for look in looks:
            assert (look.z.argmax(axis=1) == look.experts % REFERENCES).all()
