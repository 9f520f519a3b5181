"""What is kept of each expert, of which there are 48,000."""

import gc
import sys
from collections import Counter
from enum import Enum

import numpy as np

from inspector.analysis.expert_looks import look_at_layer
from inspector.analysis.expert_sampler import Sampler
from inspector.analysis.expert_states import ExpertState, Family, Key, decide
from inspector.analysis.layer_look import LookRules
from tests.analysis.test_expert_match import SPECIAL, TARGETS, family

EXPERTS = range(5, TARGETS)
"""Those that are looked at: their numbers are not their positions."""


def reachable(root: object) -> list[object]:
    """Every value that lives on for `root`, each once; no classes, functions, members of sets."""
    found: dict[int, object] = {}
    left = [root]
    while left:
        one = left.pop()
        if not (id(one) in found or isinstance(one, type | Enum) or callable(one)):
            found[id(one)] = one
            left.extend(gc.get_referents(one))
    return list(found.values())


def states_after_a_look() -> dict[Key, ExpertState]:
    sampler = Sampler(*family(layers=1), (0,), range(8))
    rules = LookRules(clear_z=5.0, with_flips=False, permuted_experts=0, same_model=False)
    looks, _ = look_at_layer(sampler, 0, np.array(EXPERTS), 8, rules)
    states: dict[Key, ExpertState] = {}
    decide(looks, states, Family(alpha=0.01, hypotheses=len(EXPERTS) * 20, inflation=1.0))
    return states


def test_no_object_of_an_expert_is_empty_or_only_a_box_of_numbers() -> None:
    states = states_after_a_look()
    kept = Counter(type(one).__name__ for one in reachable(states))
    assert kept["ExpertState"] == len(EXPERTS)
    assert kept["Parent"] == sum(len(one.accepted) for one in states.values()) > 25
    assert not {"list", "Estimates", "Retention", "Interval"} & kept.keys()
    assert kept["dict"] <= 2  # all states, and what is empty for all
    assert sum(map(sys.getsizeof, reachable(states))) < 750 * len(EXPERTS)


def test_every_expert_has_its_own_estimates() -> None:
    for (_, expert), state in states_after_a_look().items():
        assert state.expert == expert
        if expert not in SPECIAL:
            assert state.estimates is not None
            assert state.estimates.reference == expert % 20 == state.accepted[0].expert
