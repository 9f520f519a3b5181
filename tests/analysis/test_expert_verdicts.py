import math

import numpy as np
import pytest

from inspector.analysis.expert_estimates import Estimates
from inspector.analysis.expert_report import Parent, Verdict
from inspector.analysis.expert_states import ExpertState
from inspector.analysis.expert_verdicts import excluded_region, parents_of
from inspector.analysis.layer_look import Likeness
from inspector.stats.blends import Blend, BlendFit
from inspector.stats.correction import z_of_upper_tail
from inspector.stats.intervals import Interval
from inspector.stats.matching import (
    PairContrast,
    copy_z,
    prepare_references,
    prepare_targets,
    z_scores,
)
from inspector.stats.retention import Retention
from tests.stats.simulated import draw_layer, drifted, quantized, reinitialised

EXPERT = 300

VALUES = 8 * 1536

BLEND = BlendFit(Blend.CHIMERA, Interval(0.7, 0.6, 0.8), gain=10.0, neurons=1536)


def accepted(*experts: int) -> tuple[Parent, ...]:
    return tuple(
        Parent(expert=e, layer=0, z=30.0 - e, z_star=30.0 - e, log10_p=-99.0, log10_q=-90.0)
        for e in experts
    )


def state(
    pairs: dict[tuple[int, int], Likeness], *experts: int, values: int = VALUES
) -> ExpertState:
    return ExpertState(
        expert=EXPERT, rows=1, neurons=values, looks=1, alpha=0.004, best_log10_p=-99.0,
        copy_z=100.0, has_contrast=True, dead=False, accepted=accepted(*experts), pairs=pairs,
    )  # fmt: skip


def contrast(contrast_z: float, first: float, second: float) -> dict[tuple[int, int], Likeness]:
    return {(1, 2): Likeness(PairContrast(0, 1, contrast_z, first, second), BLEND)}


def judged(pairs: dict[tuple[int, int], Likeness], *experts: int) -> tuple[Verdict, list[int]]:
    verdict, parents = parents_of(state(pairs, *experts))
    return verdict, [parent.expert for parent in parents]


def left(
    retained: tuple[float, float], sigma: float, equal_codes: float | None = None
) -> Estimates:
    low, high = retained
    fit = Retention(Interval((low + high) / 2, low, high), Interval(sigma, sigma, sigma), 1536)
    return Estimates(1, fit, equal_codes=equal_codes)


@pytest.mark.parametrize(
    ("estimates", "verdict"),
    [
        (None, Verdict.DESCENDANT),
        (left((1, 1), 0.02, 1.0), Verdict.EXACT_COPY),
        (left((1, 1), 0.02, 0.9991), Verdict.EXACT_COPY),
        (left((1, 1), 0.02, 0.9989), Verdict.NEAR_COPY),
        (left((1, 1), 0.02), Verdict.NEAR_COPY),
        (left((0.97, 1), 0.099), Verdict.NEAR_COPY),
        (left((0.96, 0.98), 0.05), Verdict.DESCENDANT),
        (left((1, 1), 0.101), Verdict.DESCENDANT),
        (left((0.8, 0.91), 0.3), Verdict.DESCENDANT),
        (left((0.8, 0.89), 0.3), Verdict.PARTIAL_DESCENDANT),
    ],
)
def test_what_is_left_of_the_parent_makes_the_verdict(
    estimates: Estimates | None, verdict: Verdict
) -> None:
    one = state({}, 1)
    one.estimated = {EXPERT: estimates} if estimates else {}
    assert parents_of(one)[0] is verdict


def test_estimates_of_another_reference_make_no_verdict() -> None:
    one = state({}, 2)
    one.estimated = {EXPERT: left((0.4, 0.5), 0.3)}
    assert parents_of(one)[0] is Verdict.DESCENDANT


def test_codes_tell_an_exact_copy_from_its_near_duplicates() -> None:
    one = state(contrast(0.4, 1.0, 0.5), 1, 2)
    one.estimated = {EXPERT: left((1, 1), 0.02, 1.0)}
    assert parents_of(one) == (Verdict.EXACT_COPY, list(one.accepted[:1]))


def test_one_accepted_reference_is_the_parent() -> None:
    assert judged({}, 1) == (Verdict.DESCENDANT, [1])


def test_two_that_both_add_are_both_parents_with_their_shares() -> None:
    verdict, parents = parents_of(state(contrast(8.0, 9.0, 5.0), 1, 2))
    assert verdict is Verdict.CHIMERA
    assert [(one.expert, one.share) for one in parents] == [(1, 0.7), (2, pytest.approx(0.3))]


def test_two_that_cannot_be_told_apart_are_ambiguous() -> None:
    assert judged(contrast(3.4, 4.0, -1.0), 1, 2) == (Verdict.AMBIGUOUS_PARENT, [1, 2])


def test_a_clear_contrast_leaves_the_best_alone() -> None:
    assert judged(contrast(3.6, 4.0, 2.9), 1, 2) == (Verdict.DESCENDANT, [1])


@pytest.mark.parametrize("values", [100, VALUES, 200 * 1536])
def test_what_a_second_parent_adds_must_pay_for_itself(values: int) -> None:
    """p < .001, and BIC: one more coefficient costs log n."""
    needed = max(3.09, math.sqrt(math.log(values)))
    for added, count in ((needed - 0.01, 1), (needed + 0.01, 2)):
        _, parents = parents_of(state(contrast(9.0, 9.0, added), 1, 2, values=values))
        assert len(parents) == count


def test_the_excluded_cosine_would_pass_the_threshold_with_room() -> None:
    cosine, fraction = excluded_region(100.0, hypotheses=6_160_384, alpha=0.004)
    threshold = z_of_upper_tail(0.004 / 6_160_384)
    assert 0.9 * 100 * cosine == pytest.approx(threshold + 1.645)
    assert fraction == pytest.approx(cosine * math.sqrt(1 + 0.3**2) / 0.9)


def test_without_signal_nothing_is_excluded() -> None:
    cosine, fraction = excluded_region(0.0, hypotheses=100, alpha=0.01)
    assert min(cosine, fraction) > 1e6


@pytest.mark.parametrize("relation", ["cosine", "fraction"])
@pytest.mark.parametrize("rows", [8, 32])
def test_at_the_edge_of_what_is_excluded_z_has_room_to_pass(relation: str, rows: int) -> None:
    """Simulated descendants there: their mean z is 1.645 above the threshold, or more."""
    rng = np.random.default_rng([rows, len(relation)])
    layer = draw_layer(rows, 768, rng)
    parents = layer.draw(48, rng)
    hypotheses, alpha = 48 * 48, 0.004
    preparation, prepared = prepare_references(parents)
    copies = copy_z(prepare_targets(parents, preparation), prepared)
    cosine, fraction = excluded_region(float(np.median(copies)), hypotheses=hypotheses, alpha=alpha)
    if relation == "cosine":
        children = drifted(parents, layer, math.sqrt(1 / cosine**2 - 1), rng)
    else:
        kept = reinitialised(parents, layer, 1 - fraction, rng)
        children = drifted(kept, layer, 0.3, rng)
    z = z_scores(prepare_targets(quantized(children), preparation), prepared).diagonal()
    error = float(z.std()) / math.sqrt(len(z))
    assert z.mean() > z_of_upper_tail(alpha / hypotheses) + 1.645 - 3 * error
