"""Pairs that are read whole: which are chosen, what that costs, what is said of them."""

import numpy as np
import numpy.typing as npt
import pytest

from inspector.analysis.expert_pairs import (
    Pair,
    PairRequest,
    check_named,
    choose_pairs,
    controls_of,
    named_pair,
    pairs_cost,
    plan_pairs,
)
from inspector.analysis.expert_report import ExpertMatch, ExpertPair, Flag, Parent, Verdict
from inspector.analysis.expert_whole import PairReader, WholeExpert, compare_whole
from inspector.errors import LayoutError, UsageError
from inspector.format.dtypes import Dtype
from tests.analysis.memory import HEIGHT, NEURONS, MemoryExperts, simulated_layers
from tests.stats.simulated import draw_layer, drifted
from tests.strategies_arrays import float32

Float32 = npt.NDArray[np.float32]

KINDS: tuple[tuple[Verdict, list[Flag]], ...] = (
    (Verdict.EXACT_COPY, []),
    (Verdict.DESCENDANT, []),
    (Verdict.DESCENDANT, [Flag.PERMUTED]),
    (Verdict.PARTIAL_DESCENDANT, [Flag.FEW_REFERENCES]),
    (Verdict.NO_EVIDENCE, []),
)


def expert_match(layer: int, expert: int) -> ExpertMatch:
    """One of the kinds in turn; z* falls with the number."""
    verdict, flags = KINDS[expert % len(KINDS)]
    z = 100.0 - expert - layer / 10
    parent = Parent(expert=expert % 7, layer=layer, z=z, z_star=z, log10_p=-9, log10_q=-9)
    parents = [] if verdict is Verdict.NO_EVIDENCE else [parent]
    return ExpertMatch(
        layer=layer, expert=expert, verdict=verdict, parents=parents, flags=flags, rows=8
    )


MATCHES = [expert_match(layer, expert) for layer in range(6) for expert in range(20)]


def test_the_weakest_and_every_kind_are_among_the_chosen() -> None:
    pairs = choose_pairs(MATCHES, 12, seed=0)
    assert len({(one.layer, one.expert) for one in pairs}) == 12
    assert {(one.layer, one.expert) for one in pairs if one.chosen == "weakest"} == {
        (5, 18), (4, 18),
    }  # fmt: skip
    assert {one.chosen for one in pairs} == {
        "weakest", "exact_copy", "descendant", "descendant permuted", "partial_descendant",
    }  # fmt: skip
    assert all(one.reference == one.expert % 7 for one in pairs)
    assert [one.layer for one in pairs] == sorted(one.layer for one in pairs)


def test_chosen_pairs_are_those_of_the_seed() -> None:
    assert choose_pairs(MATCHES, 8, seed=1) == choose_pairs(MATCHES, 8, seed=1)
    assert choose_pairs(MATCHES, 8, seed=1) != choose_pairs(MATCHES, 8, seed=2)


def test_no_more_pairs_are_chosen_than_were_accepted() -> None:
    assert len(choose_pairs(MATCHES, 1000, seed=0)) == sum(bool(one.parents) for one in MATCHES)
    assert choose_pairs([one for one in MATCHES if not one.parents], 5, seed=0) == []


def test_most_pairs_share_a_layer_with_another_whose_reference_is_their_control() -> None:
    reference = MemoryExperts({layer: np.zeros((7, 4, 2), np.float32) for layer in range(6)})
    pairs = choose_pairs(MATCHES, 12, seed=0)
    controls = controls_of(reference, pairs, lambda pair: [])
    read = {(one.layer, one.reference) for one in pairs}
    needed = {(one.layer, control) for one, control in zip(pairs, controls, strict=True)}
    assert len(needed - read) <= 2


def experts(layers: int = 2, references: int = 5) -> tuple[MemoryExperts, MemoryExperts]:
    """Target e is reference e; gate and up are one matrix."""
    simulated, rng = simulated_layers(layers, 4)
    theirs = {number: layer.draw(references, rng) for number, layer in simulated.items()}
    gates = {
        number: float32(rng.standard_normal((references, NEURONS, HEIGHT))) for number in theirs
    }
    return MemoryExperts(theirs, gates=gates), MemoryExperts(dict(theirs), gates=gates)


def test_a_control_is_no_parent() -> None:
    _, reference = experts()
    pairs = [named_pair(0, 3, 3), named_pair(0, 1, 1), named_pair(1, 4, 4)]
    assert controls_of(reference, pairs, lambda pair: []) == [1, 3, 0]
    assert controls_of(reference, pairs, lambda pair: [0, 1]) == [4, 3, 2]
    with pytest.raises(LayoutError, match="no expert but parents of expert 3"):
        controls_of(reference, pairs, lambda pair: range(5))


def test_pairs_take_no_more_than_is_planned() -> None:
    target, reference = experts()
    request = PairRequest(named=(named_pair(0, 3, 3), named_pair(0, 1, 1), named_pair(1, 4, 4)))
    reader = PairReader(target, reference)
    found = [
        reader.compare(pair, control)
        for pair, control in zip(
            request.named, controls_of(reference, request.named, lambda pair: []), strict=True
        )
    ]
    (planned,) = plan_pairs(target, reference, request)
    matrix = HEIGHT * NEURONS
    assert planned.bytes == pairs_cost(target, reference, request) == 3 * 3 * 3 * matrix
    assert target.bytes_read == 3 * 3 * matrix
    assert reference.bytes_read == 4 * 3 * matrix
    assert pairs_cost(target, reference, PairRequest(count=2)) == 2 * 3 * 3 * matrix
    assert plan_pairs(target, reference, PairRequest()) == []
    assert [one.controls for one in found] == [[1], [3], [0]]
    assert all(one.retained.estimate == one.in_place == 1 for one in found)
    assert all(part.equal_codes == 1 for one in found for part in one.matrices)


@pytest.mark.parametrize(
    ("pair", "problem"),
    [
        (named_pair(0, 5, 0), "the model has no expert 5 in layer 0"),
        (named_pair(1, 0, 7), "the reference has no expert 7 in layer 1"),
        (named_pair(9, 0, 0), "the model has no expert 0 in layer 9"),
    ],
    ids=["target", "reference", "layer"],
)
def test_an_expert_that_is_not_there_is_refused_before_anything_is_read(
    pair: Pair, problem: str
) -> None:
    target, reference = experts()
    with pytest.raises(UsageError, match=problem):
        check_named(target, reference, PairRequest(named=(pair,)))
    assert not target.reads


def whole(matrices: list[Float32], dtype: Dtype = Dtype.F32) -> WholeExpert:
    return WholeExpert(matrices, [None] * 3, [dtype] * 3)


def compared(masks: list[npt.NDArray[np.bool_]], signs: Float32 | None = None) -> ExpertPair:
    """An expert that has new neurons where a matrix's mask says so, and drifted by 0.2."""
    rng = np.random.default_rng(6)
    neurons = len(masks[0])
    layers = [draw_layer(256, neurons, rng) for _ in range(3)]
    drawn = [layer.draw(3, rng) for layer in layers]
    child = [
        drifted(np.where(mask, one[2:], one[:1]), layer, 0.2, rng)[0]
        for layer, one, mask in zip(layers, drawn, masks, strict=True)
    ]
    if signs is not None:
        child = [child[0] * signs, child[1], child[2] * signs]
    parent, control = (whole([one[i] for one in drawn]) for i in (0, 1))
    return compare_whole(Pair(0, 0, 0, 0), whole(child), parent, (1, control))


def test_new_neurons_that_the_matrices_share_are_told_from_others() -> None:
    """Drop-upcycling draws the same neurons anew in all three matrices; others need not."""
    rng = np.random.default_rng(7)
    masks = [rng.permutation(192) < 96 for _ in range(3)]
    same, different = compared([masks[0]] * 3), compared(masks)
    for one in (same, different):
        for part in one.matrices:
            assert part.retained.estimate == pytest.approx(0.5, abs=0.02)
            assert part.residual == pytest.approx(0.2, abs=0.04)  # of the rms of all neurons
            assert part.slope is not None
            assert part.slope.estimate == pytest.approx(1, abs=0.02)
    for agreed in same.agreement:
        assert agreed.observed >= 0.97 * agreed.most
        assert agreed.log10_p < -40
    for agreed in different.agreement:
        assert agreed.observed == pytest.approx(agreed.expected, abs=15)
        assert agreed.log10_p > -3
    assert same.retained.estimate == pytest.approx(0.5, abs=0.02)
    assert [one for one in same.places if one >= 0] == np.flatnonzero(~masks[0]).tolist()


def test_a_new_matrix_leaves_the_others_to_tell_the_place() -> None:
    found = compared([np.ones(192, bool), np.zeros(192, bool), np.zeros(192, bool)])
    down, gate, up = (one.retained.estimate for one in found.matrices)
    assert down < 0.02
    assert gate == up == found.retained.estimate == found.in_place == 1
    assert found.matrices[0].equal_codes is None


def test_negated_neurons_are_found_by_all_three_matrices() -> None:
    signs = np.random.default_rng(8).choice(np.array([-1, 1], dtype=np.float32), 192)
    found = compared([np.zeros(192, bool)] * 3, signs)
    assert found.retained.estimate == found.in_place == 1
    assert found.negated == pytest.approx(np.mean(signs < 0), abs=1e-4)
    assert found.slope is not None
    assert found.slope.estimate == pytest.approx(1, abs=0.02)
