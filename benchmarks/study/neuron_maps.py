"""Stage C on whole experts of three matrices: which neuron became which, and how long it takes."""

import time

import numpy as np

from benchmarks.study import operators
from benchmarks.study.generator import Float32, bf16_values, draw_layer, fp8_values
from benchmarks.study.outcome import Outcome
from benchmarks.study.tasks import Parameters
from inspector.stats.neuron_map import cosine_tables, fit_factor, map_neurons

_MATRICES = 3
_ODD = (0, 2)
"""Down and up, of down, gate and up."""


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
    started = time.process_time()
    target, theirs = _quantized(child), _alone(parent)
    tables = cosine_tables(target, theirs)
    found = map_neurons(tables, [cosine_tables(target, _alone(control))], odd=_ODD)
    fit = fit_factor(target, theirs, found, _ODD)
    seconds = time.process_time() - started
    kept = found.places >= 0
    was_kept = ~mask[0][orders[0]]
    return Outcome(
        counts={
            "kept": int(kept.sum()),
            "right": int((kept & was_kept & (found.places == orders[0])).sum()),
            "false": int((kept & ~was_kept).sum()),
            "neurons": neurons,
        },
        samples={
            "seconds": [round(seconds, 2)],
            "retained error": [abs(found.retained.estimate - float(was_kept.mean()))],
            "slope": [round(fit.slope.estimate, 4)],
        },
    )


def _alone(matrices: list[Float32]) -> list[Float32]:
    return [matrix[0] for matrix in matrices]


def _quantized(matrices: list[Float32]) -> list[Float32]:
    return _alone([fp8_values(matrix) for matrix in matrices])
