"""Relations that the signed test is blind to: flipped signs, shifted and permuted neurons."""

from typing import Final

import numpy as np
from scipy.special import ndtr, ndtri

from benchmarks.study.generator import Float32, Float64, fp8_codes
from benchmarks.study.outcome import Outcome, null_outcome
from benchmarks.study.relations import Ints, make_children
from benchmarks.study.scenes import make_scene
from benchmarks.study.signed import FAMILY, least_of_both
from benchmarks.study.tasks import Parameters
from inspector.stats.correction import z_of_upper_tail
from inspector.stats.flips import prepare_flip_references, prepare_flip_targets
from inspector.stats.matching import Prepared, prepare_references, prepare_targets, z_scores
from inspector.stats.permuted import contrast_to_controls, match_neurons, matched_z, shortlist
from inspector.stats.shifts import best_shifts

OTHER_ALPHA: Final = 0.001
"""Error rate of flips, of shifts, and of permuted neurons, each."""

_SHORTLIST: Final = 3
_CONTROLS: Final = 16


def flip_power(parameters: Parameters, rng: np.random.Generator) -> Outcome:
    """One child of every reference with half of its neurons negated: its parent by z* of flips."""
    scene = make_scene(parameters, rng)
    parents = np.arange(len(scene.references))
    children = make_children(scene, parents, dict(parameters) | {"relation": "flipped"}, rng)
    star = least_of_both(_flip_scores(fp8_codes(children), scene.references))
    own = star[parents, parents]
    found = (star.argmax(axis=1) == parents) & (own > z_of_upper_tail(OTHER_ALPHA / FAMILY))
    return Outcome(
        counts={"children": len(parents), "found": int(found.sum())},
        samples={"own": np.round(own, 2).tolist()},
    )


def flip_null(parameters: Parameters, rng: np.random.Generator) -> Outcome:
    """Z and z* of flips of `targets` siblings."""
    scene = make_scene(parameters, rng)
    targets = fp8_codes(scene.fresh(int(parameters["targets"]), rng))
    z = _flip_scores(targets, scene.references)
    return null_outcome(z=z, star=least_of_both(z))


def shift_power(parameters: Parameters, rng: np.random.Generator) -> Outcome:
    """One shifted child of every reference: found where the best z has its parent and shift."""
    scene = make_scene(parameters, rng)
    parents = np.arange(len(scene.references))
    children = make_children(scene, parents, dict(parameters) | {"relation": "shifted"}, rng)
    preparation, references = prepare_references(scene.references)
    best = best_shifts(prepare_targets(fp8_codes(children), preparation), references)
    own = best.z[parents, parents]
    exact = best.shift[parents, parents] == -int(parameters["shift"]) % scene.neurons
    needed = z_of_upper_tail(OTHER_ALPHA / FAMILY / scene.neurons)
    found = (best.z.argmax(axis=1) == parents) & (own > needed)
    return Outcome(
        counts={
            "children": len(parents), "found": int(found.sum()), "exact": int(exact.sum())
        },
        samples={"own": np.round(own, 2).tolist()},
    )  # fmt: skip


def shift_null(parameters: Parameters, rng: np.random.Generator) -> Outcome:
    """The z whose tail is that of the best shift of `targets` siblings times their number."""
    scene = make_scene(parameters, rng)
    preparation, references = prepare_references(scene.references)
    targets = prepare_targets(fp8_codes(scene.fresh(int(parameters["targets"]), rng)), preparation)
    z = best_shifts(targets, references).z
    return null_outcome(z=-ndtri(np.minimum(1.0, ndtr(-z) * (scene.neurons - 1))))


def permuted_power(parameters: Parameters, rng: np.random.Generator) -> Outcome:
    """Permuted children of `targets` references: shortlisted, and accepted after the contrast."""
    scene = make_scene(parameters, rng)
    parents = rng.permutation(len(scene.references))[: int(parameters["targets"])]
    children = make_children(scene, parents, dict(parameters) | {"relation": "permuted"}, rng)
    preparation, references = prepare_references(scene.references)
    targets = prepare_targets(fp8_codes(children), preparation)
    candidates = shortlist(targets, references, _SHORTLIST)
    contrasts = np.stack(
        [
            _contrast(targets.vectors[place], references, chosen, rng)
            for place, chosen in enumerate(candidates)
        ]
    )
    best = contrasts.argmax(axis=1)
    right = candidates[np.arange(len(parents)), best] == parents
    accepted = contrasts.max(axis=1) > z_of_upper_tail(OTHER_ALPHA / FAMILY)
    return Outcome(
        counts={
            "children": len(parents),
            "shortlisted": int((candidates == parents[:, None]).any(axis=1).sum()),
            "found": int((right & accepted).sum()),
            "wrong": int((~right & accepted).sum()),
        },
        samples={"own": np.round(contrasts.max(axis=1), 2).tolist()},
    )


def permuted_null(parameters: Parameters, rng: np.random.Generator) -> Outcome:
    """The contrast of siblings: of the first reference against 16 others, for every target."""
    scene = make_scene(parameters, rng)
    preparation, references = prepare_references(scene.references)
    targets = prepare_targets(fp8_codes(scene.fresh(int(parameters["targets"]), rng)), preparation)
    first = np.array([0])
    contrast = [_contrast(one, references, first, rng) for one in targets.vectors]
    return null_outcome(contrast=np.concatenate(contrast))


def _flip_scores(targets: Float32, references: Float32) -> Float64:
    preparation, prepared = prepare_flip_references(references)
    return z_scores(prepare_flip_targets(targets, preparation), prepared)


def _contrast(
    target: Float32, references: Prepared, chosen: Ints, rng: np.random.Generator
) -> Float64:
    """The contrast of each chosen reference with controls that were not chosen."""
    others = np.setdiff1d(np.arange(len(references)), chosen)
    controls = rng.choice(others, _CONTROLS, replace=False)
    z = np.array([_split_z(target, references.vectors[one]) for one in (*chosen, *controls)])
    return contrast_to_controls(z[: len(chosen)], z[len(chosen) :])


def _split_z(target: Float32, reference: Float32) -> float:
    """Neurons matched on the even rows, and tested on the odd ones."""
    pairs = match_neurons(target[::2], reference[::2])
    return matched_z(target[1::2], reference[1::2], pairs)
