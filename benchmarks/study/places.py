"""Rows of gate or up in place: the bound 1 / h! on siblings, and experts whose down_proj is new."""

import math

import numpy as np

from benchmarks.study.generator import Float32, fp8_values
from benchmarks.study.operators import drifted
from benchmarks.study.outcome import Outcome
from benchmarks.study.relations import Ints
from benchmarks.study.scenes import Scene, make_scene
from benchmarks.study.signed import FAMILY
from benchmarks.study.tasks import Parameters
from benchmarks.study.unaligned import OTHER_ALPHA
from inspector.stats.places import log10_p_of_places, rows_in_place

_HITS = (1, 2, 3, 4)


def place_null(parameters: Parameters, rng: np.random.Generator) -> Outcome:
    """How many rows of `targets` siblings lie nearest to the row of the same place."""
    scene = make_scene(parameters, rng)
    targets = _as_rows(fp8_values(scene.fresh(int(parameters["targets"]), rng)))
    hits = _hits(targets, scene)
    counts = {f"hits {h}": int(np.sum(hits >= h)) for h in _HITS}
    return Outcome(counts=counts | {"tests": hits.size})


def place_power(parameters: Parameters, rng: np.random.Generator) -> Outcome:
    """Children whose gate drifted and whose down_proj is new: found by their rows of gate."""
    scene = make_scene(parameters, rng)
    children = drifted(
        scene.references, scene.fresh(len(scene.references), rng), float(parameters["sigma"])
    )
    hits = _hits(_as_rows(fp8_values(children)), scene)
    parents = np.arange(len(hits))
    needed = math.log10(OTHER_ALPHA / FAMILY)
    found = (hits.argmax(axis=1) == parents) & (log10_p_of_places(hits[parents, parents]) <= needed)
    return Outcome(
        counts={"children": len(parents), "found": int(found.sum())},
        samples={"hits": hits[parents, parents].astype(float).tolist()},
    )


def _hits(targets: Float32, scene: Scene) -> Ints:
    """`[E, R]`."""
    references = _as_rows(scene.references)
    return np.stack([rows_in_place(target, references) for target in targets])


def _as_rows(experts: Float32) -> Float32:
    """`[E, neurons, hidden]`: a row of gate or up is a neuron."""
    return np.ascontiguousarray(experts.transpose(0, 2, 1))
