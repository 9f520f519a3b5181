"""Stage C on whole experts of three matrices: which neuron became which, and how long it takes."""

import time

import numpy as np

from benchmarks.study import operators
from benchmarks.study.generator import Float32, bf16_values, draw_layer, fp8_values
from benchmarks.study.outcome import Outcome
from benchmarks.study.tasks import Parameters
from inspector.analysis.expert_pairs import Pair
from inspector.analysis.expert_whole import WholeExpert, compare_whole
from inspector.format.dtypes import Dtype

_MATRICES = 3


def neuron_maps(parameters: Parameters, rng: np.random.Generator) -> Outcome:
    """One pair: permuted, part re-initialised, drifted, scaled and flipped as the task says."""
    hidden, neurons = int(parameters["hidden"]), int(parameters["neurons"])
    layers = [draw_layer(hidden, neurons, rng) for _ in range(_MATRICES)]
    parent, control, fresh, noise = ([layer.draw(1, rng) for layer in layers] for _ in range(4))
    parent = [bf16_values(matrix) for matrix in parent]
    mask = operators.neuron_mask(1, neurons, float(parameters.get("fraction", 0)), rng)
    orders = operators.neuron_orders(1, neurons, rng)
    sigma, scale = float(parameters.get("sigma", 0)), float(parameters.get("scale", 1))
    child = [
        operators.permuted(
            operators.drifted(operators.replaced(one, new, mask), drift, sigma) * np.float32(scale),
            orders,
        )
        for one, new, drift in zip(parent, fresh, noise, strict=True)
    ]
    target = _whole([fp8_values(matrix) for matrix in child], Dtype.F8_E4M3)
    theirs, other = (_whole(matrices, Dtype.BF16) for matrices in (parent, control))
    started = time.process_time()
    found = compare_whole(Pair(0, 0, 0, 0), target, theirs, (1, other))
    seconds = time.process_time() - started
    places = np.array(found.places)
    kept = places >= 0
    was_kept = ~mask[0][orders[0]]
    return Outcome(
        counts={
            "kept": int(kept.sum()),
            "right": int((kept & was_kept & (places == orders[0])).sum()),
            "false": int((kept & ~was_kept).sum()),
            "neurons": neurons,
        },
        samples={
            "seconds": [round(seconds, 2)],
            "retained error": [abs(found.retained.estimate - float(was_kept.mean()))],
            "slope": [found.slope.estimate if found.slope else float("nan")],
        },
    )


def _whole(matrices: list[Float32], dtype: Dtype) -> WholeExpert:
    """The one expert of each array; in what was quantized the scales are multiplied already."""
    count = len(matrices)
    return WholeExpert([matrix[0] for matrix in matrices], [None] * count, [dtype] * count)
