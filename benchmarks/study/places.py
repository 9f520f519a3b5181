"""Rows of gate and up in place: the bound 1 / h! on siblings, and experts with a new down_proj."""

import math
from typing import Final

import numpy as np

from benchmarks.study.generator import Float32, Float64, fp8_values
from benchmarks.study.operators import drifted
from benchmarks.study.outcome import Outcome
from benchmarks.study.scenes import Scene, make_scene
from benchmarks.study.signed import FAMILY
from benchmarks.study.tasks import Parameters
from inspector.analysis.expert_match import SIDE_ALPHA
from inspector.analysis.expert_places import places_evidence
from inspector.stats.places import log10_p_of_places

_HITS: Final = (1, 2, 3, 4)


def place_null(parameters: Parameters, rng: np.random.Generator) -> Outcome:
    """How many rows of `targets` siblings lie nearest to the row of the same place."""
    gate, up = (make_scene(parameters, rng) for _ in range(2))
    targets = [one.fresh(int(parameters["targets"]), rng) for one in (gate, up)]
    log10_p = _log10_p(targets, (gate, up))
    bounds = log10_p_of_places(np.array(_HITS))
    counts = {
        f"hits {h}": int(np.sum(log10_p <= bound + 1e-9))
        for h, bound in zip(_HITS, bounds, strict=True)
    }
    return Outcome(counts=counts | {"tests": log10_p.size})


def place_power(parameters: Parameters, rng: np.random.Generator) -> Outcome:
    """Children whose gate and up drifted and whose down_proj is new: found by their rows."""
    gate, up = (make_scene(parameters, rng) for _ in range(2))
    children = [
        drifted(one.references, one.fresh(len(one.references), rng), float(parameters["sigma"]))
        for one in (gate, up)
    ]
    log10_p = _log10_p(children, (gate, up))
    parents = np.arange(len(log10_p))
    own = log10_p[parents, parents]
    found = (log10_p.argmin(axis=1) == parents) & (own <= math.log10(SIDE_ALPHA / FAMILY))
    return Outcome(
        counts={"children": len(parents), "found": int(found.sum())},
        samples={"log10 p": np.round(own, 2).tolist()},
    )


def _log10_p(targets: list[Float32], scenes: tuple[Scene, Scene]) -> Float64:
    """`[E, R]`."""
    ours = np.concatenate([_as_rows(fp8_values(one)) for one in targets], axis=2)
    theirs = np.concatenate([_as_rows(scene.references) for scene in scenes], axis=2)
    numbers = np.arange(len(theirs))
    found = places_evidence(0, np.arange(len(ours)), ours, (numbers, theirs))
    return found.log10_p(1.0).reshape(len(ours), len(theirs))


def _as_rows(experts: Float32) -> Float32:
    """`[E, neurons, hidden]`: a row of gate or up is a neuron."""
    return np.ascontiguousarray(experts.transpose(0, 2, 1))
