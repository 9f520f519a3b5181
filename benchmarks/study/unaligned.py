"""Relations that the signed test is blind to: flipped signs, shifted and permuted neurons."""

from typing import Final

import numpy as np
from scipy.special import ndtr, ndtri

from benchmarks.study.generator import Float32, Float64, fp8_codes
from benchmarks.study.outcome import Outcome, null_outcome
from benchmarks.study.relations import Ints, make_children
from benchmarks.study.scenes import Scene, make_scene
from benchmarks.study.signed import FAMILY
from benchmarks.study.tasks import Parameters
from inspector.analysis.expert_aside import Against, OpenExperts, flip_evidence
from inspector.analysis.expert_evidence import Evidence
from inspector.analysis.expert_match import LOOK_ALPHA, SIDE_ALPHA
from inspector.analysis.expert_permuted import permuted_evidence
from inspector.analysis.layer_references import LayerReferences
from inspector.stats.correction import z_of_upper_tail
from inspector.stats.matching import prepare_references, prepare_targets
from inspector.stats.shifts import best_shifts

FIRST_ALPHA: Final = SIDE_ALPHA * LOOK_ALPHA[0] / sum(LOOK_ALPHA)
"""Error rate of flips, and of shifts, at the first look: they share it as the signed looks do."""

CLEAR_Z: Final = z_of_upper_tail(FIRST_ALPHA / FAMILY)


def flip_power(parameters: Parameters, rng: np.random.Generator) -> Outcome:
    """One child of every reference with half of its neurons negated: its parent by z* of flips."""
    scene = make_scene(parameters, rng)
    parents = np.arange(len(scene.references))
    children = make_children(scene, parents, dict(parameters) | {"relation": "flipped"}, rng)
    star = _flips(fp8_codes(children), scene).star(1.0).reshape(len(parents), -1)
    own = star[parents, parents]
    found = (star.argmax(axis=1) == parents) & (own > CLEAR_Z)
    return Outcome(
        counts={"children": len(parents), "found": int(found.sum())},
        samples={"own": np.round(own, 2).tolist()},
    )


def flip_null(parameters: Parameters, rng: np.random.Generator) -> Outcome:
    """Z and z* of flips of `targets` siblings."""
    scene = make_scene(parameters, rng)
    evidence = _flips(fp8_codes(scene.fresh(int(parameters["targets"]), rng)), scene)
    return null_outcome(z=evidence.z, star=evidence.star(1.0))


def shift_power(parameters: Parameters, rng: np.random.Generator) -> Outcome:
    """One shifted child of every reference: found where the best z has its parent and shift."""
    scene = make_scene(parameters, rng)
    parents = np.arange(len(scene.references))
    children = make_children(scene, parents, dict(parameters) | {"relation": "shifted"}, rng)
    preparation, references = prepare_references(scene.references)
    best = best_shifts(prepare_targets(fp8_codes(children), preparation), references)
    own = best.z[parents, parents]
    exact = best.shift[parents, parents] == -int(parameters["shift"]) % scene.neurons
    needed = z_of_upper_tail(FIRST_ALPHA / FAMILY / scene.neurons)
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
    candidates, contrast = _permuted(fp8_codes(children), scene)
    best = candidates[np.arange(len(parents)), contrast.argmax(axis=1)]
    accepted = contrast.max(axis=1) > CLEAR_Z
    return Outcome(
        counts={
            "children": len(parents),
            "shortlisted": int((candidates == parents[:, None]).any(axis=1).sum()),
            "found": int(((best == parents) & accepted).sum()),
            "wrong": int(((best != parents) & accepted).sum()),
        },
        samples={"own": np.round(contrast.max(axis=1), 2).tolist()},
    )


def permuted_null(parameters: Parameters, rng: np.random.Generator) -> Outcome:
    """The contrast of siblings: of the references that are most like each target, of each one."""
    scene = make_scene(parameters, rng)
    _, contrast = _permuted(fp8_codes(scene.fresh(int(parameters["targets"]), rng)), scene)
    return null_outcome(contrast=contrast)


def _flips(targets: Float32, scene: Scene) -> Evidence:
    return flip_evidence(_opened(targets), _against(scene))


def _permuted(targets: Float32, scene: Scene) -> tuple[Ints, Float64]:
    """The shortlist of each target and the contrast of each entry, `[E, 3]` both."""
    found = permuted_evidence(_opened(targets), _against(scene), ())
    assert found is not None, "enough rows and controls"
    shape = len(targets), -1
    return found.references.reshape(shape), found.contrast.reshape(shape)


def _opened(targets: Float32) -> OpenExperts:
    """Targets as experts that the signed test left open; estimates are not asked for."""
    return OpenExperts(0, np.arange(len(targets)), targets, np.inf)


def _against(scene: Scene) -> Against:
    return Against(
        np.arange(len(scene.references)), LayerReferences(scene.references.copy(), 0), ()
    )
