"""Layout maps found from parents, where a rule was followed and where none was."""

import math
from collections.abc import Sequence

import numpy as np

from benchmarks.study.operators import Ints
from benchmarks.study.outcome import TAILS, Outcome, tail_key
from benchmarks.study.tasks import Parameters
from inspector.analysis.layout_candidates import NO_PARENT, candidate_maps
from inspector.analysis.layout_coverage import coverage_of
from inspector.analysis.layout_layers import LayerParents, model_layout
from inspector.analysis.layout_map import IN_ORDER, MAX_LOG10_P, best_layout, find_layout

_DECIDED = 0.7
"""Share of experts with one parent: the study's mixture decided 359 of 512."""
_ASTRAY = 0.04
"""Share of those whose parent is any reference: 15 of the study's 359."""

RANDOM = "random"


def layouts(parameters: Parameters, rng: np.random.Generator) -> Outcome:
    """`layers` layers whose parents follow `rule`, or none where it is `random`.

    A null counts p at each level, a rule how often it is named.
    """
    experts, references, groups = _sizes(parameters)
    rule = str(parameters["rule"])
    named = right = 0
    log10_p = []
    for _ in range(int(parameters["layers"])):
        made = _parents(rule, (experts, references, groups), rng)
        known = np.flatnonzero((rng.random(experts) < _DECIDED) & (made != NO_PARENT))
        new = np.flatnonzero(made == NO_PARENT).tolist()
        parents = dict(zip(known.tolist(), made[known].tolist(), strict=True))
        found = best_layout(parents, experts, references, groups, new)
        log10_p.append(found.log10_p if found else 0.0)
        if found and found.log10_p < MAX_LOG10_P:
            named += 1
            right += found.map == rule
    layers = len(log10_p)
    counts = {"layers": layers, "named": named, "right": right, "not named": layers - named}
    return Outcome(counts={**counts, **_counted("layout", log10_p)}, samples={"log10 p": log10_p})


def layout_models(parameters: Parameters, rng: np.random.Generator) -> Outcome:
    """`models` models of `layers` layers whose parents are drawn anew in each: p over layers."""
    experts, references, groups = _sizes(parameters)
    constant, mapped = [], []
    for _ in range(int(parameters["models"])):
        layers = []
        for _ in range(int(parameters["layers"])):
            known = np.flatnonzero(rng.random(experts) < _DECIDED).tolist()
            drawn = rng.integers(references, size=len(known)).tolist()
            parents = dict(zip(known, drawn, strict=True))
            sizes = experts, references, groups
            layers.append(
                LayerParents(parents, find_layout(parents, *sizes), coverage_of(parents, *sizes))
            )
        found = model_layout(layers)
        mapped.append(found.log10_p if found else 0.0)
        constant.append(found.constancy.log10_p if found and found.constancy else 0.0)
    return Outcome(counts={**_counted("all layers", mapped), **_counted("constancy", constant)})


def _sizes(parameters: Parameters) -> tuple[int, int, int]:
    return (
        int(parameters.get("experts", 512)),
        int(parameters.get("references", 128)),
        int(parameters.get("groups", 8)),
    )


def _parents(rule: str, sizes: tuple[int, int, int], rng: np.random.Generator) -> Ints:
    """The parent of every expert, some of them astray; `NO_PARENT` of those that have none."""
    experts, references, _ = sizes
    drawn = rng.integers(references, size=experts)
    if rule == RANDOM:
        return drawn
    if rule == IN_ORDER:
        made = np.sort(rng.integers(references, size=experts))
    else:
        made = next(one.values for one in candidate_maps(*sizes) if one.name == rule)
    astray = (rng.random(experts) < _ASTRAY) & (made != NO_PARENT)
    return np.where(astray, drawn, made)


def _counted(name: str, log10_p: Sequence[float]) -> dict[str, int]:
    """How often p was at most each level."""
    values = np.asarray(log10_p)
    counts = {tail_key(name, level): int(np.sum(values <= math.log10(level))) for level in TAILS}
    return {f"{name} tests": len(values), **counts}
