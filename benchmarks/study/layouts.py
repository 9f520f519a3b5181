"""Layout maps found from parents, where a rule was followed and where none was."""

import numpy as np

from benchmarks.study.outcome import Outcome
from benchmarks.study.tasks import Parameters
from inspector.analysis.layout_map import find_layout

_EXPERTS, _REFERENCES, _GROUPS = 512, 128, 8
_DECIDED = 0.7
"""Share of experts with one parent: the study's mixture decided 359 of 512."""
_ASTRAY = 0.04
"""Share of those whose parent is any reference: 15 of the study's 359."""

_RULES = {
    "e mod 128": np.arange(_EXPERTS) % _REFERENCES,
    "e // 4": np.arange(_EXPERTS) // 4,
}


def layouts(parameters: Parameters, rng: np.random.Generator) -> Outcome:
    """`layers` layers whose parents follow `rule`, or none where it is `random`."""
    rule = _RULES.get(str(parameters["rule"]))
    right, named, strength = 0, 0, []
    for _ in range(int(parameters["layers"])):
        parents = rng.integers(_REFERENCES, size=_EXPERTS)
        if rule is not None:
            parents = np.where(rng.random(_EXPERTS) < _ASTRAY, parents, rule)
        decided = np.flatnonzero(rng.random(_EXPERTS) < _DECIDED)
        found = find_layout(
            {expert: int(parents[expert]) for expert in decided.tolist()},
            _EXPERTS, _REFERENCES, _GROUPS,
        )  # fmt: skip
        if found is not None:
            named += 1
            right += found.map == parameters["rule"]
            strength.append(round(found.log10_p, 1))
    layers = int(parameters["layers"])
    counts = {"layers": layers, "named": named, "right": right, "not named": layers - named}
    return Outcome(counts=counts, samples={"log10 p": strength})
