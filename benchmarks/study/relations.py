"""Children of a scene's references, by the relation that a task names, and how many are found."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from benchmarks.study import operators
from benchmarks.study.generator import Float32, fp8_codes
from benchmarks.study.outcome import Outcome
from benchmarks.study.scenes import Scene, make_scene
from benchmarks.study.signed import least_of_both, needed_z, scores
from benchmarks.study.tasks import Parameters

Ints = npt.NDArray[np.int64]
Change = Callable[[Float32, Parameters, np.random.Generator], Float32]
"""What is done to the neurons of a parent before it drifts."""
Noise = Callable[[Scene, Float32, np.random.Generator], Float32]
"""What children `[E, k, m]` of a scene drift by, of any size."""


def make_children(
    scene: Scene, parents: Ints, parameters: Parameters, rng: np.random.Generator
) -> Float32:
    """One child of each reference of `parents`: changed, part re-initialised, and drifted.

    `relation` names the change; `fraction` of the neurons are drawn anew; the drift is `sigma`
    times an expert of the same layer. Both are 0 where they are not given.
    """
    return with_drift(scene, before_drift(scene, parents, parameters, rng), parameters, rng)


def before_drift(
    scene: Scene, parents: Ints, parameters: Parameters, rng: np.random.Generator
) -> Float32:
    """The children as they were changed and in part re-initialised."""
    children = CHANGES[str(parameters.get("relation", "copy"))](
        scene.references[parents], parameters, rng
    )
    fraction = float(parameters.get("fraction", 0))
    if not fraction:
        return children
    mask = operators.neuron_mask(len(parents), scene.neurons, fraction, rng)
    return operators.replaced(children, scene.fresh(len(parents), rng), mask)


def with_drift(
    scene: Scene, children: Float32, parameters: Parameters, rng: np.random.Generator
) -> Float32:
    """The same, drifted: by experts of the layer, or as `shape` says."""
    sigma = float(parameters.get("sigma", 0))
    if not sigma:
        return children
    noise = SHAPES[str(parameters.get("shape", "experts"))](scene, children, rng)
    return operators.drifted(children, noise, sigma)


def signed_power(parameters: Parameters, rng: np.random.Generator) -> Outcome:
    """One child of every reference: found where z* passes and is largest at the true parent."""
    scene = make_scene(parameters, rng)
    parents = np.arange(len(scene.references))
    star = least_of_both(
        scores(fp8_codes(make_children(scene, parents, parameters, rng)), scene.references)
    )
    own = star[parents, parents]
    needed = needed_z(scene.references.shape[1])
    found = (star.argmax(axis=1) == parents) & (own > needed)
    return Outcome(
        counts={
            "children": len(parents),
            "found": int(found.sum()),
            "wrong": int((star > needed).sum() - (own > needed).sum()),
        },
        samples={"own": np.round(own, 2).tolist()},
    )


def _copy(parents: Float32, parameters: Parameters, rng: np.random.Generator) -> Float32:
    del parameters, rng
    return parents


def _scaled(parents: Float32, parameters: Parameters, rng: np.random.Generator) -> Float32:
    del rng
    return parents * np.float32(parameters["scale"])


def _flipped(parents: Float32, parameters: Parameters, rng: np.random.Generator) -> Float32:
    del parameters
    signs = operators.neuron_signs(len(parents), parents.shape[2], rng)
    return operators.sign_flipped(parents, signs)


def _shifted(parents: Float32, parameters: Parameters, rng: np.random.Generator) -> Float32:
    del rng
    return operators.shifted(parents, int(parameters["shift"]))


def _permuted(parents: Float32, parameters: Parameters, rng: np.random.Generator) -> Float32:
    del parameters
    orders = operators.neuron_orders(len(parents), parents.shape[2], rng)
    return operators.permuted(parents, orders)


def _interpolated(parents: Float32, parameters: Parameters, rng: np.random.Generator) -> Float32:
    del rng
    return operators.interpolated(parents, _second(parents), float(parameters["weight"]))


def _chimera(parents: Float32, parameters: Parameters, rng: np.random.Generator) -> Float32:
    del rng
    border = round(float(parameters["weight"]) * parents.shape[2])
    return operators.chimera(parents, _second(parents), border)


def _second(parents: Float32) -> Float32:
    """The other parent of each child: the next one."""
    return np.roll(parents, -1, axis=0)


def _experts(scene: Scene, children: Float32, rng: np.random.Generator) -> Float32:
    return scene.fresh(len(children), rng)


def _even(scene: Scene, children: Float32, rng: np.random.Generator) -> Float32:
    return operators.evened(scene.fresh(len(children), rng))


def _proportional(scene: Scene, children: Float32, rng: np.random.Generator) -> Float32:
    return operators.proportional(scene.fresh(len(children), rng), children)


def _normal(scene: Scene, children: Float32, rng: np.random.Generator) -> Float32:
    return operators.undirected(_white(scene, children, rng), children)


def _white(scene: Scene, children: Float32, rng: np.random.Generator) -> Float32:
    del scene
    return rng.standard_normal(children.shape, dtype=np.float32)


SHAPES: Mapping[str, Noise] = MappingProxyType(
    {
        "experts": _experts,
        "even": _even,
        "proportional": _proportional,
        "normal": _normal,
        "white": _white,
    }
)
"""What children drift by, by the name that a task gives it."""

CHANGES: Mapping[str, Change] = MappingProxyType(
    {
        "copy": _copy,
        "scaled": _scaled,
        "flipped": _flipped,
        "shifted": _shifted,
        "permuted": _permuted,
        "interpolated": _interpolated,
        "chimera": _chimera,
    }
)
"""What a parent goes through, by the name that a task gives it."""
