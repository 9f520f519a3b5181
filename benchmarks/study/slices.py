"""Experts with fewer neurons than their parent has: consecutive ones of it.

Padded with zeros they are tested as they are, and at every shift: one is the place of the slice.
"""

import numpy as np
from scipy.special import ndtr, ndtri

from benchmarks.study.generator import Float32, Float64, fp8_codes
from benchmarks.study.operators import sliced
from benchmarks.study.outcome import Outcome, null_outcome
from benchmarks.study.relations import make_children
from benchmarks.study.scenes import Scene, make_scene
from benchmarks.study.signed import FAMILY, least_of_both, needed_z
from benchmarks.study.tasks import Parameters
from benchmarks.study.unaligned import FIRST_ALPHA
from inspector.stats.correction import z_of_upper_tail
from inspector.stats.matching import padded, prepare_references, prepare_targets, z_scores
from inspector.stats.shifts import BestShifts, best_shifts


def slice_power(parameters: Parameters, rng: np.random.Generator) -> Outcome:
    """`kept` neurons, from `start` on, of one child of every reference.

    Found where either test names the parent; at its place where the best shift is `start`, or the
    neurons are aligned and that is 0.
    """
    scene = make_scene(parameters, rng)
    parents = np.arange(len(scene.references))
    children = make_children(scene, parents, parameters, rng)
    z, best = _scores(_cut(children, parameters), scene)
    star = least_of_both(z)
    aligned = (star.argmax(axis=1) == parents) & (
        star[parents, parents] > needed_z(scene.references.shape[1])
    )
    own, shift = best.z[parents, parents], best.shift[parents, parents]
    needed = z_of_upper_tail(FIRST_ALPHA / FAMILY / scene.neurons)
    moved = (best.z.argmax(axis=1) == parents) & (own > needed)
    start = int(parameters["start"])
    return Outcome(
        counts={
            "children": len(parents),
            "found": int((aligned | moved).sum()),
            "in place": int((moved & (shift == start) if start else aligned).sum()),
        },
        samples={"own": np.round(own if start else star[parents, parents], 2).tolist()},
    )


def slice_null(parameters: Parameters, rng: np.random.Generator) -> Outcome:
    """Z and z* of `targets` siblings with `kept` neurons, and the tail of their best shift."""
    scene = make_scene(parameters, rng)
    targets = scene.fresh(int(parameters["targets"]), rng)
    z, best = _scores(_cut(targets, dict(parameters) | {"start": 0}), scene)
    shifts = -ndtri(np.minimum(1.0, ndtr(-best.z) * (scene.neurons - 1)))
    return null_outcome(z=z, star=least_of_both(z), shifts=shifts)


def _cut(experts: Float32, parameters: Parameters) -> Float32:
    start = int(parameters["start"])
    return sliced(experts, start, start + int(parameters["kept"]))


def _scores(targets: Float32, scene: Scene) -> tuple[Float64, BestShifts]:
    """Aligned and at the best shift, each `[E, R]`."""
    preparation, references = prepare_references(scene.references)
    prepared = padded(prepare_targets(fp8_codes(targets), preparation), scene.neurons)
    return z_scores(prepared, references), best_shifts(prepared, references)
