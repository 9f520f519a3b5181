import math

import numpy as np
import pytest
from scipy.stats import binom

from inspector.analysis.layout_coverage import Coverage, GroupCoverage, coverage_of, group_facts
from inspector.analysis.layout_layers import LayerParents, constancy_of, model_layout
from inspector.analysis.layout_map import find_layout


def layer(parents: dict[int, int], experts: int = 32, references: int = 8) -> LayerParents:
    layout = find_layout(parents, experts, references, 4)
    return LayerParents(parents, layout, coverage_of(parents, experts, references, 4))


COPIED = {e: e % 8 for e in range(32)}
SPLIT = {e: e // 4 for e in range(32)}


def test_coverage_counts_references_their_children_and_groups() -> None:
    parents = {0: 0, 1: 0, 8: 1, 9: 2, 10: 2, 11: 2}
    assert coverage_of(parents, 16, 4, 2) == Coverage(
        experts=16,
        covered=3,
        references=4,
        times={"0": 1, "1": 1, "2": 1, "3": 1},
        groups=[GroupCoverage(experts=2, references=1), GroupCoverage(experts=4, references=2)],
    )


@pytest.mark.parametrize("groups", [None, 1, 5], ids=str)
def test_no_groups_are_covered_where_there_are_none(groups: int | None) -> None:
    assert coverage_of(COPIED, 32, 8, groups).groups == []


def test_each_group_holds_every_parent_in_one_layout_and_few_in_another() -> None:
    """Four groups of 8: `e mod 8` puts every reference in each, `e // 4` two."""
    found = [group_facts([coverage_of(made, 32, 8, 4)]) for made in (COPIED, SPLIT)]
    assert [(one.complete, one.of, one.size, one.fewest, one.most) for one in found if one] == [
        (4, 4, 8, 8, 8),
        (0, 4, 8, 2, 2),
    ]
    assert group_facts([coverage_of(COPIED, 32, 8, None)]) is None


def test_a_layout_of_all_layers_is_stronger_than_that_of_one() -> None:
    found = model_layout([layer(COPIED)] * 3)
    one = find_layout(COPIED, 32, 8, 4)
    assert found is not None
    assert one is not None
    assert (found.map, found.layers, found.of) == ("e mod 8", 3, 3)
    assert found.identical == one.identical
    assert 3 * one.log10_p < found.log10_p < one.log10_p


def test_a_layer_of_another_map_counts_as_one_without_evidence() -> None:
    found = model_layout([layer(COPIED), layer(SPLIT), layer(COPIED)])
    with_none = model_layout([layer(COPIED), layer({0: 0}), layer(COPIED)])
    assert found is not None
    assert with_none is not None
    assert (found.map, found.layers, found.of) == ("e mod 8", 2, 3)
    assert found.log10_p == with_none.log10_p


def test_parents_that_stay_are_seen_where_no_rule_is() -> None:
    """One random assignment, the same in every layer."""
    drawn = np.random.default_rng(3).integers(8, size=32).tolist()
    found = model_layout([layer(dict(enumerate(drawn)))] * 4)
    assert found is not None
    assert (found.map, found.layers, found.log10_p) == (None, 0, 0.0)
    expected = 96 * math.log10(1 / 8)
    assert found.constancy is not None
    assert (found.constancy.agreeing, found.constancy.compared) == (96, 96)
    assert found.constancy.log10_p == pytest.approx(expected, abs=1e-3)


def test_an_expert_is_compared_with_the_last_layer_in_which_its_parent_is_known() -> None:
    found = constancy_of([layer({0: 3, 1: 1}), layer({1: 2}), layer({0: 3, 1: 2, 2: 5})])
    assert found is not None
    assert (found.agreeing, found.compared) == (2, 3)


def test_one_layer_says_nothing_of_constancy_and_no_parents_nothing_at_all() -> None:
    assert constancy_of([layer(COPIED)]) is None
    assert model_layout([layer({}), layer({})]) is None


def test_p_of_random_layers_holds_its_level() -> None:
    """Null: parents drawn anew in each of 4 layers of 12 experts, 4 references; 2,500 models."""
    rng = np.random.default_rng(0)
    models = 2_500
    constant, mapped = [], []
    for _ in range(models):
        drawn = rng.integers(4, size=(4, 12))
        found = model_layout([layer(dict(enumerate(row)), 12, 4) for row in drawn.tolist()])
        assert found is not None
        assert found.constancy is not None
        constant.append(found.constancy.log10_p)
        mapped.append(found.log10_p)
    for level in (1e-2, 1e-3):
        most = binom.ppf(0.999, models, level)
        for log10_p in (constant, mapped):
            assert np.sum(np.array(log10_p) <= math.log10(level)) <= most
    assert np.sum(np.array(constant) <= -2) > binom.ppf(0.001, models, 2e-3)
