"""A hidden basis that was rotated: experts by the cosines of their neurons with each other."""

from typing import Final

import numpy as np

from benchmarks.study.generator import (
    Float32,
    Float64,
    Layer,
    bf16_values,
    draw_layer,
    fp8_values,
)
from benchmarks.study.operators import drifted, neuron_mask, replaced, rotated
from benchmarks.study.outcome import Outcome, null_outcome
from benchmarks.study.signed import FAMILY, least_of_both, scores
from benchmarks.study.tasks import Parameters
from inspector.analysis.expert_match import SIDE_ALPHA
from inspector.stats.correction import z_of_upper_tail
from inspector.stats.rotation import ROTATION_ROWS, anchored

CLEAR_Z: Final = z_of_upper_tail(SIDE_ALPHA / FAMILY)


def rotation_null(parameters: Parameters, rng: np.random.Generator) -> Outcome:
    """Z and z* of `targets` siblings: they share the layer's directions, whatever the basis."""
    layers = _layers(parameters, rng)
    references = [bf16_values(one.draw(int(parameters["references"]), rng)) for one in layers]
    targets = [one.draw(int(parameters["targets"]), rng) for one in layers]
    z = _scores(targets, references)
    return null_outcome(z=z, star=least_of_both(z))


def rotation_power(parameters: Parameters, rng: np.random.Generator) -> Outcome:
    """One child of every reference, its neurons changed and drifted, then all in another basis."""
    count, hidden = int(parameters["references"]), int(parameters["hidden"])
    layers = _layers(parameters, rng)
    references = [bf16_values(one.draw(count, rng)) for one in layers]
    fraction, sigma = (float(parameters.get(name, 0)) for name in ("fraction", "sigma"))
    basis = np.linalg.qr(rng.standard_normal((hidden, hidden)))[0].astype(np.float32)
    mask = neuron_mask(count, ROTATION_ROWS, fraction, rng)
    children = [
        rotated(drifted(replaced(side, one.draw(count, rng), mask), one.draw(count, rng), sigma),
                basis)
        for side, one in zip(references, layers, strict=True)
    ]  # fmt: skip
    star = least_of_both(_scores(children, references))
    own = np.diagonal(star)
    found = (star.argmax(axis=1) == np.arange(count)) & (own > CLEAR_Z)
    return Outcome(
        counts={
            "children": count,
            "found": int(found.sum()),
            "wrong": int((star > CLEAR_Z).sum() - (own > CLEAR_Z).sum()),
        },
        samples={"own": np.round(own, 2).tolist()},
    )


def _layers(parameters: Parameters, rng: np.random.Generator) -> list[Layer]:
    """What experts of a layer share in gate and in up."""
    return [draw_layer(int(parameters["hidden"]), ROTATION_ROWS, rng) for _ in range(2)]


def _scores(targets: list[Float32], references: list[Float32]) -> Float64:
    """`[E, R]`, of targets in FP8."""
    ours = anchored(*(_as_rows(fp8_values(one)) for one in targets))
    return scores(ours, anchored(*(_as_rows(one) for one in references)))


def _as_rows(experts: Float32) -> Float32:
    """`[E, neurons, hidden]`: a row of gate or up is a neuron."""
    return np.ascontiguousarray(experts.transpose(0, 2, 1))
