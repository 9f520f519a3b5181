"""False positives of the signed test where nothing descends, or not from the reference tested."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from benchmarks.study.generator import Float32, draw_layer, fp8_codes
from benchmarks.study.operators import drifted, sorted_by_norm
from benchmarks.study.outcome import Outcome, merged, null_outcome
from benchmarks.study.relations import make_children
from benchmarks.study.scenes import Scene, make_scene
from benchmarks.study.signed import least_of_both, needed_z, scores
from benchmarks.study.tasks import Parameters
from inspector.analysis.expert_sampler import null_width

Pair = tuple[Float32, Float32]
"""Targets before they are quantized, and references."""


def signed_null(parameters: Parameters, rng: np.random.Generator) -> Outcome:
    """Z and z* of `targets` experts against all references, none of them a parent."""
    kind = KINDS[str(parameters["kind"])]
    found = []
    for _ in range(int(parameters.get("draws", 1))):
        targets, references = kind(make_scene(parameters, rng), int(parameters["targets"]), rng)
        z = scores(fp8_codes(targets), references)
        star = least_of_both(z)
        accepted = int((star > needed_z(int(parameters["rows"]))).sum())
        found += [null_outcome(z=z, star=star), Outcome(counts={"accepted": accepted})]
    return merged(found)


def few_references(parameters: Parameters, rng: np.random.Generator) -> Outcome:
    """The same with so few references that z* needs those of other layers for its pool."""
    scene = make_scene(parameters, rng)
    targets = fp8_codes(scene.fresh(int(parameters["targets"]), rng))
    count = len(scene.references)
    others = [make_scene(parameters, rng) for _ in range(null_width(94, count))]
    pool = np.concatenate([scores(targets, other.references) for other in others], axis=1)
    z = scores(targets, scene.references)
    return null_outcome(z=z, star=least_of_both(z, pool))


def wrong_parents(parameters: Parameters, rng: np.random.Generator) -> Outcome:
    """True children against the references that are not their parents."""
    scene = make_scene(parameters, rng)
    rows = scene.references.shape[1]
    parents = np.arange(len(scene.references))
    z = scores(fp8_codes(make_children(scene, parents, parameters, rng)), scene.references)
    star = least_of_both(z)
    wrong = ~np.eye(len(parents), dtype=np.bool_)
    best_is_wrong = star.argmax(axis=1) != parents
    decided = star.max(axis=1) > needed_z(rows)
    found = null_outcome(z=z[wrong], star=star[wrong])
    counts = {
        "decided": int(decided.sum()),
        "wrong parent": int((decided & best_is_wrong).sum()),
        "wrong accepted": int((star[wrong] > needed_z(rows)).sum()),
    }
    return Outcome(counts=found.counts | counts, histograms=found.histograms)


def _siblings(scene: Scene, count: int, rng: np.random.Generator) -> Pair:
    return scene.fresh(count, rng), scene.references


def _sorted_siblings(scene: Scene, count: int, rng: np.random.Generator) -> Pair:
    return sorted_by_norm(scene.fresh(count, rng)), sorted_by_norm(scene.references)


def _of_another_layer(scene: Scene, count: int, rng: np.random.Generator) -> Pair:
    layer = draw_layer(scene.references.shape[1], scene.neurons, rng)
    return layer.draw(count, rng), scene.references


def _cousins(scene: Scene, count: int, rng: np.random.Generator) -> Pair:
    """Both sides descend from one ancestor, with a drift as large as the ancestor itself."""
    ancestor = scene.fresh(1, rng)
    references = drifted(np.repeat(ancestor, len(scene.references), axis=0), scene.references, 1.0)
    targets = drifted(np.repeat(ancestor, count, axis=0), scene.fresh(count, rng), 1.0)
    return targets, references


KINDS: Mapping[str, Callable[[Scene, int, np.random.Generator], Pair]] = MappingProxyType(
    {
        "siblings": _siblings,
        "sorted": _sorted_siblings,
        "other layer": _of_another_layer,
        "cousins": _cousins,
    }
)
"""What the targets of a null are."""
