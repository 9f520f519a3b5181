"""Whole runs on models made by a rule: the layout that is said of them."""

import numpy as np
import pytest

from inspector.analysis.expert_match import MatchResult, match_experts
from inspector.analysis.expert_question import MatchRequest
from inspector.analysis.layout_candidates import NO_PARENT
from inspector.analysis.layout_layers import ModelLayout
from inspector.analysis.layout_map import IN_ORDER
from inspector.analysis.match_layout import match_layout
from tests.analysis.memory import MemoryExperts, simulated_layers
from tests.stats.simulated import drifted

EXPERTS, REFERENCES, GROUPS, LAYERS = 40, 20, 4, 2
EACH = np.arange(EXPERTS)
DEALT = (EACH % 10 * GROUPS + EACH // 10) // 2
UNEQUAL = np.sort(np.random.default_rng(5).integers(REFERENCES, size=EXPERTS))
SCATTERED = np.random.default_rng(6).integers(REFERENCES, size=EXPERTS)


def run(parents: np.ndarray[tuple[int], np.dtype[np.int64]]) -> MatchResult:
    """A model of experts that drifted from these references; strangers where there is none."""
    simulated, rng = simulated_layers(LAYERS, 3)
    ours, theirs = {}, {}
    for number, layer in simulated.items():
        theirs[number] = layer.draw(REFERENCES, rng)
        made = drifted(theirs[number][np.maximum(parents, 0)], layer, 0.5, rng)
        strangers = layer.draw(EXPERTS, rng)
        ours[number] = np.where((parents == NO_PARENT)[:, None, None], strangers, made)
    request = MatchRequest(
        layers=None, experts=None, seed=0, max_bytes=None, router_groups=GROUPS, drawn_layer=1
    )
    return match_experts(
        MemoryExperts(ours), MemoryExperts(theirs), request, lambda what, done, total: None
    )


def layout(result: MatchResult) -> ModelLayout:
    found = match_layout(result.layers, result.experts)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("parents", "name"),
    [
        (np.where(EACH < REFERENCES, EACH, NO_PARENT), "first 20 in place"),
        (DEALT, "((e mod 10) * 4 + e // 10) // 2"),
        (UNEQUAL, IN_ORDER),
    ],
    ids=["appended", "dealt to groups", "unequal runs"],
)
def test_the_rule_that_made_a_model_is_named_in_every_layer(
    parents: np.ndarray[tuple[int], np.dtype[np.int64]], name: str
) -> None:
    result = run(parents)
    found = layout(result)
    assert (found.map, found.layers, found.of) == (name, LAYERS, LAYERS)
    assert found.constancy is not None
    assert found.constancy.agreeing == found.constancy.compared == int((parents >= 0).sum())
    scores = result.charts.scores
    assert scores is not None
    assert scores.layer == 1
    known = np.flatnonzero(parents >= 0)
    assert np.asarray(scores.z_star)[known].argmax(axis=1).tolist() == parents[known].tolist()


def test_an_assignment_by_no_rule_has_no_layout_and_is_seen_to_stay() -> None:
    found = layout(run(SCATTERED))
    assert (found.map, found.layers, found.log10_p) == (None, 0, 0.0)
    assert found.constancy is not None
    assert found.constancy.log10_p < -30
    assert found.groups is not None
    assert (found.groups.of, found.groups.size) == (LAYERS * GROUPS, 10)


def test_groups_are_counted_by_the_references_that_they_hold() -> None:
    """Ten experts of 20 references cannot hold them all; dealt out, each group has ten."""
    found = layout(run(DEALT)).groups
    assert found is not None
    assert (found.complete, found.fewest, found.most, found.references) == (0, 10, 10, 20)
