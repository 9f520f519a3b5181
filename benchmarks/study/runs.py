"""Whole runs on models in memory: what is said of experts of every relation, and of strangers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

import numpy as np

from benchmarks.study import operators
from benchmarks.study.generator import Float32, Layer, bf16_values, draw_layer
from benchmarks.study.outcome import Outcome
from benchmarks.study.sides import HEIGHT, LayerArrays, ModelInMemory
from benchmarks.study.tasks import Parameters
from inspector.analysis.expert_match import MatchResult, match_experts
from inspector.analysis.expert_question import MatchRequest
from inspector.analysis.expert_report import DESCENDING, ExpertMatch, Flag, Verdict
from inspector.format.dtypes import Dtype

REQUEST: Final = MatchRequest(
    layers=None, experts=None, seed=0, max_bytes=2**50, router_groups=None
)
"""All experts of all layers, however much is read."""


@dataclass(frozen=True, slots=True)
class LayerSource:
    """What the experts of one layer share in each matrix, at the sampled rows."""

    down: Layer
    gate: Layer
    up: Layer

    def draw(self, count: int, rng: np.random.Generator) -> LayerArrays:
        return LayerArrays(*(one.draw(count, rng) for one in (self.down, self.gate, self.up)))


@dataclass(frozen=True, slots=True)
class Relation:
    """How experts are made, and what a run should say of them.

    `verdicts` are all that would be right; `flag` is one that must be there; `parents` is how many
    references should be named: the parent, and the one after it.
    """

    make: Callable[["Origins"], LayerArrays]
    verdicts: tuple[Verdict, ...]
    flag: Flag | None = None
    parents: int = 1


@dataclass(frozen=True, slots=True)
class Origins:
    """What experts are made from: a parent each, a second one, and experts without any."""

    first: LayerArrays
    second: LayerArrays
    fresh: LayerArrays
    rng: np.random.Generator

    def drifted(self, sigma: float) -> LayerArrays:
        """The first parents with a drift in all three matrices."""
        return LayerArrays(
            operators.drifted(self.first.down, self.fresh.down, sigma),
            operators.drifted(self.first.gate, self.fresh.gate, sigma),
            operators.drifted(self.first.up, self.fresh.up, sigma),
        )

    def with_down(self, down: Float32, sigma: float = 0.3) -> LayerArrays:
        """`down`, beside gate and up of the first parents with a drift."""
        return replace(self.drifted(sigma), down=down)


def mixed_run(parameters: Parameters, rng: np.random.Generator) -> Outcome:
    """A model that has `each` experts of every relation in each of `layers` layers."""
    each, count = int(parameters["each"]), int(parameters["references"])
    targets, references = ModelInMemory({}, Dtype.F8_E4M3), ModelInMemory({}, Dtype.BF16)
    parents: dict[int, operators.Ints] = {}
    for layer in range(int(parameters["layers"])):
        source = draw_source(int(parameters["neurons"]), rng)
        theirs = _map(bf16_values, source.draw(count, rng))
        parents[layer] = rng.permutation(count)[: each * len(RELATIONS)]
        targets.add(layer, _related(source, theirs, parents[layer], rng))
        references.add(layer, theirs)
    found = _matched(targets, references)
    counts: dict[str, int] = {}
    for match in found.experts:
        name = list(RELATIONS)[match.expert // each]
        first = int(parents[match.layer][match.expert])
        expected = {(first + i) % count for i in range(RELATIONS[name].parents)}
        for what, is_so in _judged(match, RELATIONS[name], expected).items():
            counts[f"{name}: {what}"] = counts.get(f"{name}: {what}", 0) + is_so
    return Outcome(counts=counts, samples={"inflation": [found.calibration.inflation]})


def _related(
    source: LayerSource, references: LayerArrays, parents: operators.Ints, rng: np.random.Generator
) -> LayerArrays:
    """Experts of every relation in turn, as many of each."""
    parts = []
    for relation, some in zip(RELATIONS.values(), np.split(parents, len(RELATIONS)), strict=True):
        second = _take(references, (some + 1) % len(references.down))
        fresh = source.draw(len(some), rng)
        parts.append(relation.make(Origins(_take(references, some), second, fresh, rng)))
    return LayerArrays(
        np.concatenate([part.down for part in parts]),
        np.concatenate([part.gate for part in parts]),
        np.concatenate([part.up for part in parts]),
    )


def _matched(targets: ModelInMemory, references: ModelInMemory) -> MatchResult:
    return match_experts(targets, references, REQUEST, lambda what, done, total: None)


def scratch_run(parameters: Parameters, rng: np.random.Generator) -> Outcome:
    """A model whose `targets` experts in each of `layers` layers descend from nothing."""
    targets, references = ModelInMemory({}, Dtype.F8_E4M3), ModelInMemory({}, Dtype.BF16)
    for layer in range(int(parameters["layers"])):
        source = draw_source(int(parameters["neurons"]), rng)
        targets.add(layer, source.draw(int(parameters["targets"]), rng))
        references.add(layer, source.draw(int(parameters["references"]), rng))
    found = _matched(targets, references)
    verdicts = [match.verdict for match in found.experts]
    return Outcome(
        counts={
            "experts": len(verdicts),
            "parents": sum(bool(match.parents) for match in found.experts),
            "no_evidence": verdicts.count(Verdict.NO_EVIDENCE),
            "inconclusive": verdicts.count(Verdict.INCONCLUSIVE),
        },
        samples={"inflation": [found.calibration.inflation]},
    )


def _judged(match: ExpertMatch, relation: Relation, expected: set[int]) -> dict[str, bool]:
    named = {one.expert for one in match.parents}
    has_flag = relation.flag is None or relation.flag in match.flags
    return {
        "experts": True,
        "parents": named == expected,
        "wrong": not named <= expected,
        "verdict": match.verdict in relation.verdicts and has_flag,
    }


def draw_source(neurons: int, rng: np.random.Generator) -> LayerSource:
    """The shared directions of a layer's three matrices."""
    return LayerSource(
        draw_layer(HEIGHT, neurons, rng),
        draw_layer(HEIGHT, HEIGHT, rng),
        draw_layer(HEIGHT, HEIGHT, rng),
    )


def _map(change: Callable[[Float32], Float32], arrays: LayerArrays) -> LayerArrays:
    return LayerArrays(*(change(one) for one in (arrays.down, arrays.gate, arrays.up)))


def _take(arrays: LayerArrays, experts: operators.Ints) -> LayerArrays:
    return _map(lambda one: one[experts], arrays)


def _half_new(origins: Origins) -> LayerArrays:
    return _partly_new(origins, 0.5)


def _mostly_new(origins: Origins) -> LayerArrays:
    return _partly_new(origins, 0.9)


def _partly_new(origins: Origins, fraction: float) -> LayerArrays:
    """Some neurons new in `down_proj`, then a drift of 0.3."""
    down = origins.first.down
    experts, _, neurons = down.shape
    mask = operators.neuron_mask(experts, neurons, fraction, origins.rng)
    new = operators.permuted(
        origins.fresh.down, operators.neuron_orders(experts, neurons, origins.rng)
    )
    return origins.with_down(
        operators.drifted(operators.replaced(down, new, mask), origins.fresh.down, 0.3)
    )


def _scaled(origins: Origins) -> LayerArrays:
    return _map(lambda one: one * np.float32(0.7), origins.drifted(0.1))


def _interpolated(origins: Origins) -> LayerArrays:
    return origins.with_down(operators.interpolated(origins.first.down, origins.second.down, 0.6))


def _chimera(origins: Origins) -> LayerArrays:
    half = origins.first.down.shape[2] // 2
    return origins.with_down(operators.chimera(origins.first.down, origins.second.down, half))


def _flipped(origins: Origins) -> LayerArrays:
    child = origins.drifted(0.3)
    experts, _, neurons = child.down.shape
    signs = operators.neuron_signs(experts, neurons, origins.rng)
    return replace(
        child,
        down=operators.sign_flipped(child.down, signs),
        up=operators.sign_flipped(child.up, signs[:, : child.up.shape[2]]),
    )


def _shifted(origins: Origins) -> LayerArrays:
    down = operators.shifted(origins.drifted(0.3).down, 256)
    return replace(origins.fresh, down=down)


def _permuted(origins: Origins) -> LayerArrays:
    down = origins.drifted(0.3).down
    orders = operators.neuron_orders(len(down), down.shape[2], origins.rng)
    return replace(origins.fresh, down=operators.permuted(down, orders))


def _zero_down(origins: Origins) -> LayerArrays:
    return origins.with_down(np.zeros_like(origins.first.down))


def _new_down(origins: Origins) -> LayerArrays:
    return origins.with_down(origins.fresh.down)


RELATIONS: Final[Mapping[str, Relation]] = MappingProxyType(
    {
        "copy": Relation(lambda origins: origins.first, (Verdict.EXACT_COPY,)),
        "drift 0.05": Relation(lambda origins: origins.drifted(0.05), (Verdict.NEAR_COPY,)),
        "drift 1": Relation(lambda origins: origins.drifted(1.0), (Verdict.DESCENDANT,)),
        "50 % new, drift 0.3": Relation(_half_new, (Verdict.PARTIAL_DESCENDANT,)),
        "90 % new, drift 0.3": Relation(_mostly_new, (Verdict.PARTIAL_DESCENDANT,)),
        "scale 0.7, drift 0.1": Relation(
            _scaled, (Verdict.NEAR_COPY, Verdict.DESCENDANT), Flag.SCALED
        ),
        "interpolated 0.6": Relation(_interpolated, (Verdict.MIXTURE,), parents=2),
        "chimera 0.5": Relation(_chimera, (Verdict.CHIMERA,), parents=2),
        "signs flipped, drift 0.3": Relation(_flipped, DESCENDING, Flag.SIGN_FLIPPED),
        "shift 256, drift 0.3": Relation(_shifted, DESCENDING, Flag.SHIFTED),
        "permuted, drift 0.3": Relation(_permuted, DESCENDING, Flag.PERMUTED),
        "down_proj zero": Relation(_zero_down, DESCENDING, Flag.DOWN_REINITIALISED),
        "down_proj new": Relation(_new_down, DESCENDING, Flag.DOWN_REINITIALISED),
        "all zero": Relation(
            lambda origins: _map(np.zeros_like, origins.first), (Verdict.DEGENERATE,), parents=0
        ),
        "from scratch": Relation(lambda origins: origins.fresh, (Verdict.NO_EVIDENCE,), parents=0),
    }
)
"""What experts of a mixed run are, by name. Where gate and up are looked at, they drifted too."""
