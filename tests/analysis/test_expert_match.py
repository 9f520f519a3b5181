from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pytest

from inspector.analysis.expert_match import LOOK_ROWS, MatchResult
from inspector.analysis.expert_places import PLACE_ROWS
from inspector.analysis.expert_question import BUDGET_FLOOR
from inspector.analysis.expert_report import ExpertMatch, Flag, Verdict
from inspector.errors import BudgetExceeded, LayoutError, UsageError
from inspector.layout.families import Projection
from inspector.stats.calibration import Calibrated
from tests.analysis.memory import HEIGHT, NEURONS, MemoryExperts, match, simulated_layers
from tests.stats.simulated import drifted
from tests.strategies_arrays import float32

Float32 = npt.NDArray[np.float32]

REFERENCES, TARGETS = 20, 40
STRANGERS = frozenset({7, 19, 33})
ZERO_DOWN, ALL_ZERO, ALL_NAN = 11, 12, 13
SPECIAL = STRANGERS | {ZERO_DOWN, ALL_ZERO, ALL_NAN}


@lru_cache
def drawn(layers: int, references: int) -> tuple[dict[int, Float32], dict[int, Float32]]:
    """Of each layer targets that descend from reference e mod R at sigma 1, save the special."""
    simulated, rng = simulated_layers(layers, 1)
    theirs, ours = {}, {}
    for number, layer in simulated.items():
        theirs[number] = layer.draw(references, rng)
        parents = theirs[number][np.arange(TARGETS) % references]
        ours[number] = drifted(parents, layer, 1.0, rng)
        ours[number][sorted(STRANGERS)] = layer.draw(len(STRANGERS), rng)
        ours[number][[ZERO_DOWN, ALL_ZERO]] = 0
        ours[number][ALL_NAN] = np.nan
    return ours, theirs


def family(layers: int = 3, references: int = REFERENCES) -> tuple[MemoryExperts, MemoryExperts]:
    """What `drawn` says, to be read and changed."""
    ours, theirs = (
        {layer: experts.copy() for layer, experts in side.items()}
        for side in drawn(layers, references)
    )
    dead = frozenset((layer, expert) for layer in ours for expert in (ALL_ZERO, ALL_NAN))
    return MemoryExperts(ours, dead), MemoryExperts(theirs)


def of_verdict(result: MatchResult, verdict: Verdict) -> set[int]:
    return {one.expert for one in result.experts if one.verdict is verdict}


def by_expert(result: MatchResult, layer: int = 0) -> dict[int, ExpertMatch]:
    return {one.expert: one for one in result.experts if one.layer == layer}


@pytest.fixture(scope="module")
def matched() -> tuple[MemoryExperts, MatchResult]:
    """The targets of a family after a match, and what it found."""
    target, reference = family()
    return target, match(target, reference)


@pytest.fixture
def target(matched: tuple[MemoryExperts, MatchResult]) -> MemoryExperts:
    return matched[0]


@pytest.fixture
def found(matched: tuple[MemoryExperts, MatchResult]) -> MatchResult:
    return matched[1]


def test_every_descendant_has_its_parent(found: MatchResult) -> None:
    assert len(found.experts) == 3 * TARGETS
    for one in found.experts:
        if one.expert not in SPECIAL:
            assert one.verdict is Verdict.DESCENDANT
            assert [parent.expert for parent in one.parents] == [one.expert % REFERENCES]
            best = one.parents[0]
            assert best.z is not None
            assert best.z_star is not None
            assert best.z_star <= best.z
            assert best.log10_p < -5
            assert best.log10_p <= best.log10_q <= 0


def test_every_stranger_shows_no_evidence(found: MatchResult) -> None:
    assert of_verdict(found, Verdict.NO_EVIDENCE) | of_verdict(found, Verdict.INCONCLUSIVE) == (
        STRANGERS | {ZERO_DOWN}
    )
    assert of_verdict(found, Verdict.NO_EVIDENCE) == STRANGERS


def test_experts_of_zeros_or_nan_are_degenerate(found: MatchResult) -> None:
    assert of_verdict(found, Verdict.DEGENERATE) == {ALL_ZERO, ALL_NAN}


def test_a_zero_down_alone_is_inconclusive(found: MatchResult) -> None:
    assert of_verdict(found, Verdict.INCONCLUSIVE) == {ZERO_DOWN}


def test_the_calibration_of_a_null_that_holds_is_ok(found: MatchResult) -> None:
    assert found.calibration.status is Calibrated.OK
    assert found.hypotheses == 3 * TARGETS * REFERENCES


def test_the_layout_is_found_in_every_layer(found: MatchResult) -> None:
    assert [layer.layout.map for layer in found.layers if layer.layout] == ["e mod 20"] * 3
    decided = TARGETS - len(SPECIAL)
    assert all(layer.layout and layer.layout.hits == decided for layer in found.layers)
    assert [sum(layer.verdicts.values()) for layer in found.layers] == [TARGETS] * 3


def test_many_references_raise_no_flag(found: MatchResult) -> None:
    assert not any(one.flags for one in found.experts if one.expert not in SPECIAL)


def test_a_seed_gives_the_same_answer() -> None:
    assert match(*family(), seed=3) == match(*family(), seed=3)


def test_only_undecided_experts_are_read_again(target: MemoryExperts) -> None:
    later = [read for read in target.reads if len(read.rows) == LOOK_ROWS[2]]
    assert [read.layer for read in later] == [0, 1, 2]
    assert all(set(read.experts) == STRANGERS for read in later)
    first = [read for read in target.reads if len(read.experts) == TARGETS]
    assert {len(read.rows) for read in first} <= set(LOOK_ROWS[:2])


def test_only_what_down_leaves_open_is_read_beyond_it(target: MemoryExperts) -> None:
    beyond = [read for read in target.reads if read.projection is not Projection.DOWN]
    assert {one for read in beyond for one in read.experts} == SPECIAL
    assert all(len(read.rows) == PLACE_ROWS for read in beyond)


def test_a_layer_whose_experts_are_all_dead_is_looked_at_with_the_others() -> None:
    target, reference = family()
    target.down[1][:] = 0
    found = match(target, reference)
    assert all(one.verdict != Verdict.DESCENDANT for one in found.experts if one.layer == 1)
    assert any(one.verdict == Verdict.DESCENDANT for one in found.experts if one.layer == 0)


DEAD_ROWS = 3 * 3 * 2 * PLACE_ROWS * HEIGHT
"""Bytes of rows of gate and up of the three experts of a layer whose down is dead."""


def test_with_few_bytes_left_only_dead_experts_are_read_beyond_down() -> None:
    target, reference = family()
    match(target, reference, max_bytes=CHOICE_OF_ROWS + FIRST_LOOK + DEAD_ROWS)
    beyond = [read for read in target.reads if read.projection is not Projection.DOWN]
    assert {one for read in beyond for one in read.experts} == {ZERO_DOWN, ALL_ZERO, ALL_NAN}
    assert all(read.projection is Projection.DOWN for read in reference.reads)


def test_without_a_byte_left_no_expert_is_called_degenerate() -> None:
    target, reference = family()
    found = match(target, reference, max_bytes=CHOICE_OF_ROWS + FIRST_LOOK)
    assert all(read.projection is Projection.DOWN for read in target.reads)
    dead = [one for one in found.experts if one.expert in {ZERO_DOWN, ALL_ZERO, ALL_NAN}]
    assert len(dead) == 9
    assert {one.verdict for one in dead} == {Verdict.INCONCLUSIVE}
    assert all(Flag.BUDGET in one.flags for one in dead)


def test_a_look_at_fewer_rows_is_a_part_of_the_next(target: MemoryExperts) -> None:
    longest = max((read.rows for read in target.reads), key=len)
    down = [read for read in target.reads if read.projection is Projection.DOWN]
    assert all(read.rows == longest[: len(read.rows)] for read in down)


FIRST_LOOK = 3 * (TARGETS + REFERENCES) * LOOK_ROWS[0] * NEURONS
CHOICE_OF_ROWS = 3 * len(range(0, REFERENCES, -(-REFERENCES // 16))) * HEIGHT * NEURONS


def test_what_the_budget_does_not_reach_is_inconclusive() -> None:
    target, reference = family()
    found = match(target, reference, max_bytes=CHOICE_OF_ROWS + FIRST_LOOK)
    strangers = [one for one in found.experts if one.expert in STRANGERS]
    assert {one.verdict for one in strangers} == {Verdict.INCONCLUSIVE}
    assert all(Flag.BUDGET in one.flags for one in strangers)
    assert {one.rows for one in found.experts} == {LOOK_ROWS[0]}
    decided = [one for one in found.experts if one.expert not in SPECIAL]
    assert sum(one.verdict is Verdict.DESCENDANT for one in decided) > 0.9 * len(decided)


@pytest.mark.parametrize("factor", [1.0, 1.3, 2.0, 3.5, 6.0])
def test_reads_stay_within_the_budget(factor: float) -> None:
    target, reference = family()
    limit = CHOICE_OF_ROWS + int(factor * FIRST_LOOK)
    match(target, reference, max_bytes=limit)
    assert target.bytes_read + reference.bytes_read <= limit


def test_a_budget_below_the_first_look_is_refused_before_any_read() -> None:
    target, reference = family()
    needed = CHOICE_OF_ROWS + FIRST_LOOK
    with pytest.raises(BudgetExceeded, match=f"{needed:,} bytes, more than the {needed - 1:,}"):
        match(target, reference, max_bytes=needed - 1)
    assert not target.reads
    assert not reference.reads


def test_small_models_are_read_as_far_as_they_need(found: MatchResult) -> None:
    target, reference = family()
    assert target.total_bytes + reference.total_bytes < BUDGET_FLOOR
    assert not any(Flag.BUDGET in one.flags for one in found.experts)


def test_layers_and_experts_can_be_chosen() -> None:
    target, reference = family()
    found = match(target, reference, layers=frozenset({1, 9}), experts=frozenset({0, 5, 21}))
    assert [(one.layer, one.expert) for one in found.experts] == [(1, 0), (1, 5), (1, 21)]
    assert found.hypotheses == 3 * REFERENCES
    assert {read.layer for read in [*target.reads, *reference.reads]} == {1}
    assert [one.parents[0].expert for one in found.experts] == [0, 5, 1]


def test_one_layer_has_no_null_and_verdicts_stand() -> None:
    target, reference = family(layers=1)
    found = match(target, reference)
    assert found.calibration.status is Calibrated.INSUFFICIENT
    assert found.calibration.tests == 0
    assert len(of_verdict(found, Verdict.DESCENDANT)) == TARGETS - len(SPECIAL)


@pytest.mark.parametrize(("layers", "flagged"), [(1, True), (4, True), (5, False)])
def test_few_references_are_flagged_where_other_layers_do_not_fill_the_pool(
    layers: int, *, flagged: bool
) -> None:
    """A contrast needs 16 others: 3 of the layer and 4 of each other layer."""
    found = match(*family(layers=layers, references=4))
    alive = [one for one in found.experts if one.expert not in SPECIAL]
    assert all((Flag.FEW_REFERENCES in one.flags) == flagged for one in alive)
    assert {one.verdict for one in alive} == {Verdict.DESCENDANT}


def test_a_null_that_is_inflated_withholds_verdicts() -> None:
    """Every expert of both models has some of one pattern over neuron index, more or less of it."""
    simulated, rng = simulated_layers(3, 2)
    pattern = rng.standard_normal((1, HEIGHT, NEURONS))

    def patterned(count: int) -> dict[int, Float32]:
        return {
            number: float32(
                layer.draw(count, rng) + rng.standard_normal((count, 1, 1)) * 0.5 * pattern
            )
            for number, layer in simulated.items()
        }

    target = MemoryExperts(patterned(TARGETS))
    target.down[0][5] = 0
    target.dead = frozenset({(0, 5)})
    found = match(target, MemoryExperts(patterned(REFERENCES)))
    assert found.calibration.status is Calibrated.UNCALIBRATED
    assert found.calibration.inflation > 1.15
    assert of_verdict(found, Verdict.DEGENERATE) == {5}
    others = [one for one in found.experts if (one.layer, one.expert) != (0, 5)]
    assert {one.verdict for one in others} == {Verdict.UNCALIBRATED}
    assert not any(one.parents for one in found.experts)
    assert {one.rows for one in others} <= set(LOOK_ROWS[:2])


def test_neurons_sorted_by_norm_make_no_parent() -> None:
    simulated, rng = simulated_layers(3, 3)

    def in_order(count: int) -> dict[int, Float32]:
        drawn = {number: layer.draw(count, rng) for number, layer in simulated.items()}
        return {
            number: np.take_along_axis(
                experts, np.linalg.norm(experts, axis=1, keepdims=True).argsort(axis=2), axis=2
            )
            for number, experts in drawn.items()
        }

    found = match(MemoryExperts(in_order(TARGETS)), MemoryExperts(in_order(REFERENCES)))
    assert not any(one.parents for one in found.experts)


@pytest.mark.parametrize("sigma", [0.0, 0.02])
def test_near_duplicate_references_are_ambiguous(sigma: float) -> None:
    target, reference = family()
    simulated, rng = simulated_layers(3, 7)
    for number, layer in simulated.items():
        twin = drifted(reference.down[number][3:4], layer, sigma, rng)
        reference.down[number][4] = twin[0]
        target.down[number][3] = drifted(reference.down[number][3:4], layer, 1.0, rng)[0]
    found = match(target, reference)
    for layer_number in range(3):
        one = by_expert(found, layer_number)[3]
        assert one.verdict is Verdict.AMBIGUOUS_PARENT
        assert {parent.expert for parent in one.parents} == {3, 4}


def test_two_parents_that_both_count_are_both_named() -> None:
    target, reference = family()
    target.down[1][6] = 0.6 * reference.down[1][2] + 0.4 * reference.down[1][15]
    one = by_expert(match(target, reference), 1)[6]
    assert one.verdict is Verdict.MIXTURE
    assert {parent.expert for parent in one.parents} == {2, 15}


def test_experts_of_one_model_are_compared_with_each_other_only() -> None:
    target, _ = family()
    simulated, rng = simulated_layers(3, 9)
    for number, layer in simulated.items():
        target.down[number][:20] = layer.draw(20, rng)
        target.down[number][20:] = layer.draw(20, rng)
        target.down[number][8] = drifted(target.down[number][2:3], layer, 0.5, rng)[0]
    found = match(target, target, same_model=True)
    for number in range(3):
        alike = {one.expert: one.parents for one in found.experts if one.layer == number}
        assert [parent.expert for parent in alike.pop(8)] == [2]
        assert [parent.expert for parent in alike.pop(2)] == [8]
        assert not any(alike.values())


def test_a_slice_of_a_larger_expert_is_found_wherever_it_was_cut() -> None:
    simulated, rng = simulated_layers(3, 10, neurons=256)
    theirs = {number: layer.draw(REFERENCES, rng) for number, layer in simulated.items()}
    ours = {}
    for number, experts in theirs.items():
        noise = 0.3 * experts.std() * rng.standard_normal((REFERENCES, HEIGHT, 64))
        ours[number] = float32(experts[:, :, :64] + noise)
        ours[number][1] = experts[1, :, 100:164] + noise[1]
        ours[number][2] = rng.standard_normal((HEIGHT, 64))
    found = match(MemoryExperts(ours), MemoryExperts(theirs))
    for one in found.experts:
        if one.expert == 2:
            assert one.parents == []
            continue
        assert [parent.expert for parent in one.parents] == [one.expert]
        assert one.flags == [Flag.SLICED]


def test_an_ancestor_in_common_is_no_parent() -> None:
    """Targets and references descend from one expert, at drift 1; no target from a reference."""
    simulated, rng = simulated_layers(3, 11, neurons=256)
    theirs, ours = {}, {}
    for number, layer in simulated.items():
        ancestor = layer.draw(1, rng)
        theirs[number] = drifted(np.repeat(ancestor, REFERENCES, axis=0), layer, 1.0, rng)
        ours[number] = drifted(np.repeat(ancestor, 6, axis=0), layer, 1.0, rng)
        ours[number][4] = drifted(theirs[number][4:5], layer, 0.5, rng)[0]
        ours[number][5] = layer.draw(1, rng)[0]
    found = match(MemoryExperts(ours), MemoryExperts(theirs))
    assert of_verdict(found, Verdict.ANCESTOR_ONLY) == {0, 1, 2, 3}
    for one in found.experts:
        assert [parent.expert for parent in one.parents] == ([4] if one.expert == 4 else [])


def test_experts_of_different_hidden_sizes_are_refused() -> None:
    target, reference = family()
    reference.down[1] = reference.down[1][:, :-1]
    with pytest.raises(
        LayoutError, match=r"layer 1: down_proj is \[128, 128\] here and \[127, 128\]"
    ):
        match(target, reference)


def test_layers_of_different_sizes_are_refused() -> None:
    """Their pairs, which calibrate each other, ended in a ValueError of numpy."""
    target, reference = family()
    target.down[2], reference.down[2] = (side.down[2][:, :, :64] for side in (target, reference))
    with pytest.raises(LayoutError, match=r"\[128, 64\] in layer 2 and \[128, 128\] in layer 0"):
        match(target, reference)
    assert match(target, reference, layers=frozenset({2})).experts


def test_no_layer_in_common_is_refused() -> None:
    target, reference = family(layers=1)
    other = MemoryExperts({7: reference.down[0]})
    with pytest.raises(LayoutError, match="no expert layer in common: 0 and 7"):
        match(target, other)
    with pytest.raises(UsageError, match="--layers 3: no such layer has experts in both"):
        match(target, reference, layers=frozenset({3}))


def test_no_expert_chosen_is_refused() -> None:
    target, reference = family(layers=1)
    with pytest.raises(LayoutError, match="no expert is left to match"):
        match(target, reference, experts=frozenset({TARGETS}))
