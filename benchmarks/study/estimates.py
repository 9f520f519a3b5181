"""What is estimated of known parents: retained fraction, drift, scale, shares, equal codes."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from benchmarks.study.generator import Float32, Float64, fp8_codes, fp8_values
from benchmarks.study.outcome import Outcome
from benchmarks.study.relations import Ints, before_drift, make_children, with_drift
from benchmarks.study.scenes import Scene, make_scene
from benchmarks.study.signed import least_of_both, needed_z, scores
from benchmarks.study.tasks import Parameters
from inspector.decode.rounding import MANTISSA_BITS, code_distance, rounded_codes
from inspector.format.dtypes import Dtype
from inspector.stats.blends import Blend, fit_blend
from inspector.stats.matching import prepare_references
from inspector.stats.neuron_pairs import NeuronPairs, neuron_pairs
from inspector.stats.retention import Retention, fit_retention, retained_probabilities
from inspector.stats.retention_templates import Templates
from inspector.stats.slopes import fit_slope
from inspector.stats.template_drawing import draw_templates
from sample_shards.build import BLOCK, quantize

EXACT_COPY: Final = 0.999
"""Share of equal codes from which on an expert is an exact copy (the specification)."""


@dataclass(frozen=True, slots=True)
class _Fitted:
    parents: Ints
    before: Float32
    children: Float32
    neurons: NeuronPairs
    fits: list[Retention]
    templates: Templates


def retained_errors(parameters: Parameters, rng: np.random.Generator) -> Outcome:
    """Errors of the retained fraction and of the drift, for `targets` children.

    The drift is compared with the one that the whole child was given, and with what the neurons
    that were retained have of it, rms over rms.
    """
    scene = make_scene(parameters, rng)
    fitted = _fit(scene, parameters, rng)
    truth, sigma = 1 - float(parameters.get("fraction", 0)), float(parameters["sigma"])
    retained = [fit.retained for fit in fitted.fits]
    drift = [fit.sigma for fit in fitted.fits]
    own = retained_drifts(scene.references[fitted.parents], fitted.before, fitted.children)
    return Outcome(
        counts={
            "children": len(retained),
            "covered": sum(one.low <= truth <= one.high for one in retained),
            "sigma covered": sum(one.low <= sigma <= one.high for one in drift),
        },
        samples={
            "retained error": [abs(one.estimate - truth) for one in retained],
            "sigma error": [abs(one.estimate / sigma - 1) for one in drift],
            "sigma error, retained neurons": [
                abs(one.estimate / true - 1) for one, true in zip(drift, own.tolist(), strict=True)
            ],
            "sigma width": [(one.high - one.low) / one.estimate for one in drift],
        },
    )


def retained_drifts(parents: Float32, before: Float32, children: Float32) -> Float64:
    """How far the neurons drifted that were the parent's `before`, rms over rms: `[E]`.

    All three are `[E, k, m]`.
    """
    kept = np.all(before == parents, axis=1, keepdims=True)
    moved, length = (
        np.sum(np.square(side * kept, dtype=np.float64), axis=(1, 2))
        for side in (children - before, parents)
    )
    return np.asarray(np.sqrt(moved / length))


def scale_errors(parameters: Parameters, rng: np.random.Generator) -> Outcome:
    """Errors of the factor of children that are `scale` times their parent, then drifted."""
    scene = make_scene(parameters, rng)
    fitted = _fit(scene, dict(parameters) | {"relation": "scaled"}, rng)
    values = fp8_values(fitted.children)
    truth = float(parameters["scale"])
    weights = retained_probabilities(fitted.neurons, fitted.fits, fitted.templates)
    slopes = [
        fit_slope(value, scene.references[parent], weight)
        for value, parent, weight in zip(values, fitted.parents, weights, strict=True)
    ]
    covered = [slope.low <= truth <= slope.high for slope in slopes]
    return Outcome(
        counts={"children": len(covered), "covered": sum(covered)},
        samples={"scale error": [abs(slope.estimate / truth - 1) for slope in slopes]},
    )


def blend_errors(parameters: Parameters, rng: np.random.Generator) -> Outcome:
    """Children of two parents: are both found, is the kind right, and how wrong is the share?"""
    scene = make_scene(parameters, rng)
    count = len(scene.references)
    first = np.arange(count)
    second = (first + 1) % count
    children = fp8_codes(make_children(scene, first, parameters, rng))
    star = least_of_both(scores(children, scene.references))
    pairs = np.sort(np.stack([first, second], axis=1), axis=1)
    best = np.argsort(-star, axis=1)[:, :2]
    accepted = np.take_along_axis(star, best, axis=1).min(axis=1) > needed_z(children.shape[1])
    both = (np.sort(best, axis=1) == pairs).all(axis=1) & accepted
    fits = [
        fit_blend(child, scene.references[one], scene.references[other])
        for child, one, other in zip(children, first, second, strict=True)
    ]
    is_chimera = parameters["relation"] == "chimera"
    kind = Blend.CHIMERA if is_chimera else Blend.INTERPOLATION
    truth = float(parameters["weight"])
    return Outcome(
        counts={
            "children": count,
            "both": int(both.sum()),
            "kind": sum(fit.blend is kind for fit in fits),
        },
        samples={"share error": [abs(fit.share.estimate - truth) for fit in fits]},
    )


def equal_codes(parameters: Parameters, rng: np.random.Generator) -> Outcome:
    """The share of codes that children have in common with their parent, quantized alike."""
    scene = make_scene(parameters, rng)
    parents = np.arange(len(scene.references))
    children = make_children(scene, parents, parameters, rng)
    shares = [
        _equal_share(child, parent)
        for child, parent in zip(children, scene.references, strict=True)
    ]
    exact = sum(share >= EXACT_COPY for share in shares)
    return Outcome(
        counts={"children": len(shares), "exact": exact, "not exact": len(shares) - exact},
        samples={"share": [round(share, 6) for share in shares]},
    )


def _equal_share(child: Float32, parent: Float32) -> float:
    """Codes of the child's scales on either side: a producer's rule applied to the reference."""
    codes, scales = quantize(child, np.dtype(np.float32))
    rows, neurons = child.shape
    spread = scales.repeat(BLOCK, axis=0)[:rows].repeat(BLOCK, axis=1)[:, :neurons]
    distance = code_distance(codes, rounded_codes(parent, spread, Dtype.F8_E4M3))
    return float(np.mean(distance == 0))


def _fit(scene: Scene, parameters: Parameters, rng: np.random.Generator) -> _Fitted:
    parents = rng.permutation(len(scene.references))[: int(parameters["targets"])]
    before = before_drift(scene, parents, parameters, rng)
    children = with_drift(scene, before, parameters, rng)
    preparation, _ = prepare_references(scene.references)
    bits = MANTISSA_BITS[Dtype.F8_E4M3]
    templates = draw_templates(scene.references, preparation, rng, bits)
    neurons = neuron_pairs(fp8_codes(children), scene.references[parents], preparation)
    return _Fitted(parents, before, children, neurons, fit_retention(neurons, templates), templates)
