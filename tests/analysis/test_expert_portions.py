"""What a look holds at a time changes no verdict, and what is read ahead no read."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from inspector.analysis import expert_looks, expert_places, expert_sampler
from inspector.analysis.expert_aside import Against, OpenExperts
from inspector.analysis.expert_evidence import Evidence
from inspector.analysis.expert_looks import look_at_layer
from inspector.analysis.expert_match import MatchResult, match_experts
from inspector.analysis.expert_permuted import permuted_evidence
from inspector.analysis.expert_sampler import Sampler
from inspector.analysis.expert_sides import Ahead, Result, Scales
from inspector.analysis.layer_look import LookRules
from inspector.analysis.layer_references import Flips, LastFlips, LayerReferences
from inspector.analysis.packed_rows import PackedRows
from inspector.layout.families import Projection
from inspector.source.pool import begin
from tests.analysis.memory import NEURONS, MemoryExperts, Read, match, request, simulated_layers
from tests.analysis.test_expert_match import family
from tests.stats.simulated import drifted

FLOAT_BYTES = 4


def answers(result: MatchResult) -> list[object]:
    return [
        (one.layer, one.expert, one.verdict, [parent.expert for parent in one.parents], one.rows)
        for one in result.experts
    ]


def test_portions_change_no_answer_and_read_nothing_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = match(*family())
    monkeypatch.setattr(expert_sampler, "_PORTION_BYTES", 7 * 8 * NEURONS * FLOAT_BYTES)
    monkeypatch.setattr(expert_places, "_AT_A_TIME", 2)
    target, reference = family()
    found = match(target, reference)
    assert answers(found) == answers(whole)
    scores, expected = found.charts.scores, whole.charts.scores
    assert scores is not None
    assert expected is not None
    assert scores.experts == expected.experts
    np.testing.assert_allclose(scores.z_star, expected.z_star, rtol=0.03, atol=0.2)
    reads = Counter(
        (one.layer, expert, one.projection, one.rows)
        for one in target.reads
        for expert in one.experts
    )
    first = [n for (*_, projection, rows), n in reads.items() if len(rows) == 8]
    assert len(first) == 3 * 40
    assert set(first) == {1}
    assert max(len(one.experts) for one in target.reads if len(one.rows) == 8) == 7


def test_references_of_another_layer_are_kept_as_memory_allows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    target, reference = family(layers=6)
    sampler = Sampler(target, reference, tuple(range(6)), range(8))
    assert sampler.null_layers(5, 8) == [1, 2, 3, 4]
    monkeypatch.setattr(expert_sampler, "_KEPT_BYTES", 1)
    assert sampler.null_layers(5, 8) == [4]
    rules = LookRules(clear_z=5.0, with_flips=True, permuted_experts=0, same_model=False)
    for layer in range(6):
        look_at_layer(sampler, layer, np.arange(40), 8, rules)
        assert len(sampler._references) <= 2
    of_rows = Counter(one.layer for one in reference.reads if one.projection is Projection.DOWN)
    assert set(of_rows.values()) == {1}


def test_of_references_that_are_too_large_some_tell_the_null_of_another_layer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Read where their layer is not looked at, kept where it was; its own look has all."""
    monkeypatch.setattr(expert_sampler, "_KEPT_BYTES", 1)
    monkeypatch.setattr(expert_sampler, "_SOME", 5)
    target, reference = family(layers=6)
    sampler = Sampler(target, reference, tuple(range(6)), range(8))
    rules = LookRules(clear_z=5.0, with_flips=True, permuted_experts=0, same_model=False)
    for layer in (2, 3, 5):
        cost = sampler.cost(layer, np.arange(40), 8)
        looks, null = look_at_layer(sampler, layer, np.arange(40), 8, rules)
        assert looks[0].z.shape == (40, 20)
        assert [one.shape[1] for one in null.signed] == [5]
        assert sampler.spent == cost
        sampler.spent = 0
    of_references = Counter((one.layer, len(one.experts)) for one in reference.reads)
    assert of_references == {(1, 5): 1, (2, 20): 1, (3, 20): 1, (4, 5): 1, (5, 20): 1}


def test_neurons_are_matched_without_what_only_the_signed_test_needs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rules = LookRules(clear_z=5.0, with_flips=False, permuted_experts=3, same_model=False)
    whole = Sampler(*family(layers=4), tuple(range(4)), range(32))
    (expected,), _ = look_at_layer(whole, 2, np.arange(40), 32, rules)
    assert hasattr(whole._references[2, 32], "prepared")
    monkeypatch.setattr(expert_sampler, "_KEPT_BYTES", 1)
    monkeypatch.setattr(expert_sampler, "_SOME", 5)
    seen: list[bool] = []

    def watched(
        opened: OpenExperts, against: Against, others: Sequence[LayerReferences], ahead: Ahead
    ) -> Evidence | None:
        seen.append(hasattr(against.own, "prepared"))
        return permuted_evidence(opened, against, others, ahead)

    monkeypatch.setattr(expert_looks, "permuted_evidence", watched)
    sampler = Sampler(*family(layers=4), tuple(range(4)), range(32))
    (found,), _ = look_at_layer(sampler, 2, np.arange(40), 32, rules)
    assert seen == [False]
    assert len(sampler._references[2, 32].prepared.vectors) == 5
    assert found.permuted is not None
    assert expected.permuted is not None
    np.testing.assert_array_equal(found.permuted.z, expected.permuted.z)
    sampler.begin(3, 32)
    assert len(sampler._references[2, 32].raw) == 5


def test_what_is_large_is_not_read_before_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[object] = []

    def ahead(function: Callable[[], Result], /) -> Callable[[], Result]:
        begun.append(function)
        return function

    for experts, count in ((120, 4), (119, 3), (60, 2), (59, 1), (20, 1), (19, 0)):
        monkeypatch.setattr(expert_sampler, "_AHEAD_BYTES", experts * 8 * NEURONS * FLOAT_BYTES)
        sampler = Sampler(*family(), (0, 1, 2), range(8), ahead=ahead)
        for layer in (1, 2, 1, 2):  # what is under way already is not begun again
            sampler.expect(layer, np.arange(40), 8)
        assert len(begun) == count
        begun.clear()


def test_a_small_pool_has_all_its_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    target, reference = family(layers=6, references=8)
    monkeypatch.setattr(expert_sampler, "_KEPT_BYTES", 1)
    sampler = Sampler(target, reference, tuple(range(6)), range(8))
    assert sampler.null_layers(5, 8) == [1, 2, 3, 4]


def test_what_is_read_ahead_is_read_once_and_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(expert_sampler, "_PORTION_BYTES", 7 * 8 * NEURONS * FLOAT_BYTES)
    sides, again = family(), family()
    waited = match(*sides)
    begun = match_experts(*again, request(), lambda what, done, total: None, begin)
    assert begun == waited
    for one, other in zip(sides, again, strict=True):
        assert Counter(one.reads) == Counter(other.reads)


def test_an_error_of_what_is_read_ahead_is_raised() -> None:
    target, reference = family()
    read = partial(MemoryExperts.read, target)

    class Failing(MemoryExperts):
        def read(self, layer, experts, projection, rows):  # type: ignore[no-untyped-def]
            if layer == 2 and len(rows) == 8:
                raise OSError("gone")
            return read(layer, experts, projection, rows)

    with pytest.raises(OSError, match="gone"):
        match_experts(Failing(target.down), reference, request(), lambda *_: None, begin)


def test_kept_tests_are_those_that_some_inflation_can_leave_small() -> None:
    rng = np.random.default_rng(0)
    z, contrast = rng.standard_normal((2, 5000)) * 2
    every = Evidence(0, np.arange(5000), np.arange(5000), z, contrast)
    kept = every.likely()
    assert 0 < len(kept.z) < len(z)
    for inflation in (1.0, 1.3, 2.0):
        small = every.log10_p(inflation) < -1
        assert np.isin(every.experts[small], kept.experts).all()
    exact = replace(every, exact_log10_p=np.linspace(-5, 0, 5000)).likely()
    assert len(exact.z) == 4000


@pytest.mark.parametrize("low_bits", [False, True])
def test_packed_rows_are_the_same_bits(low_bits: bool) -> None:  # noqa: FBT001
    rng = np.random.default_rng(1)
    values = rng.standard_normal((4, 3, 16)).astype(np.float32)
    values[0, 0, :3] = np.nan, -np.inf, -0.0
    if not low_bits:
        values = (values.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)
    rows = PackedRows(values)
    assert len(rows) == 4
    assert rows.nbytes == values.nbytes // (1 if low_bits else 2)
    for index in (2, np.array([3, 1]), slice(None, None, 2), (slice(None), slice(1, 3))):
        assert rows[index].tobytes() == np.ascontiguousarray(values[index]).tobytes()


def test_references_are_prepared_alike_in_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    from inspector.stats import matching

    layers, rng = simulated_layers(1, 3)
    raw = layers[0].draw(9, rng)[:, :16]
    whole = matching.prepare_references(raw)
    monkeypatch.setattr(matching, "_STRIP_BYTES", 2 * raw[:1].nbytes)
    strips = matching.prepare_references(raw)
    np.testing.assert_allclose(strips[0].basis, whole[0].basis, atol=1e-5)
    np.testing.assert_allclose(strips[1].vectors, whole[1].vectors, atol=1e-5)
    np.testing.assert_allclose(strips[1].grams, whole[1].grams, rtol=1e-4, atol=1e-4)


def test_flips_of_a_layer_serve_the_next_ones_null(monkeypatch: pytest.MonkeyPatch) -> None:
    """Made once, though a layer's own experts and the null of the next need them."""
    made: list[tuple[int, ...]] = []
    inner = LayerReferences.flips

    def flips(references: LayerReferences) -> Flips:
        made.append(references.raw.shape)
        return inner(references)

    monkeypatch.setattr(LayerReferences, "flips", flips)
    last = LastFlips()
    rng = np.random.default_rng(0)
    raw = rng.standard_normal((2, 4, 8, NEURONS)).astype(np.float32)
    layers = [LayerReferences(one, 0) for one in raw]
    first = last(layers[0])
    assert last(layers[0]) is first
    last(layers[1])
    last.settle(layers[:1])
    last(layers[1])
    assert len(made) == 3


class ScaledExperts(MemoryExperts):
    """Experts whose scales cost what is read of them, and are counted."""

    def scale_cost(
        self, layer: int, experts: Sequence[int], projection: Projection, rows: Sequence[int]
    ) -> int:
        return len(experts) * NEURONS

    def scales(  # type: ignore[override]  # there are none in memory elsewhere
        self, layer: int, experts: Sequence[int], projection: Projection, rows: Sequence[int]
    ) -> Scales:
        cost = self.scale_cost(layer, experts, projection, rows)
        self.reads.append(Read(layer, tuple(experts), projection, (), cost))
        return Scales(np.ones((len(experts), len(rows), NEURONS), np.float32), applied=False)


def near_family() -> tuple[ScaledExperts, ScaledExperts]:
    """Two layers of targets that drifted so little that their scales are wanted."""
    simulated, rng = simulated_layers(2, 5)
    theirs = {number: layer.draw(40, rng) for number, layer in simulated.items()}
    ours = {n: drifted(theirs[n], layer, 0.3, rng) for n, layer in simulated.items()}
    return ScaledExperts(ours), ScaledExperts(theirs)


@pytest.mark.parametrize("size", [7, 40])
@pytest.mark.parametrize("spare", [0, 10**6])
def test_what_is_still_to_be_read_is_not_spent_on_scales(
    size: int, spare: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the other portions of the layer nor what was begun of the next one."""
    monkeypatch.setattr(expert_sampler, "_PORTION_BYTES", size * 8 * NEURONS * FLOAT_BYTES)
    sides, experts = near_family(), np.arange(40)
    sampler = Sampler(*sides, (0, 1), range(8), ahead=begin)
    sampler.allowance = spare + sum(40 * 2 * 8 * NEURONS for _ in (0, 1))
    rules = LookRules(clear_z=5.0, with_flips=False, permuted_experts=0, same_model=False)
    assert sampler.affords(sampler.cost(0, experts, 8))
    for layer in (0, 1):
        after = [(1, experts)] if layer == 0 else []
        look_at_layer(sampler, layer, experts, 8, rules, after)
    scales = [one for side in sides for one in side.reads if not one.rows]
    assert bool(scales) == bool(spare)
    assert sum(side.bytes_read for side in sides) == sampler.spent <= sampler.allowance
