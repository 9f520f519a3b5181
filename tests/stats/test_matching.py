from itertools import permutations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.stats.contrast import leave_one_out_contrast
from inspector.stats.matching import (
    Prepared,
    copy_z,
    pair_contrast,
    prepare_references,
    prepare_targets,
    standard_rows,
    unit_neurons,
    z_scores,
)
from tests.stats.simulated import draw_layer, drifted, quantized
from tests.stats.specification import slow_z

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]


def fast_z(targets: Float32, references: Float32) -> Float64:
    preparation, prepared = prepare_references(references)
    return z_scores(prepare_targets(targets, preparation), prepared)


def draw(seed: int, *shape: int) -> Float32:
    return np.random.default_rng(seed).standard_t(4, shape).astype(np.float32)


def aligned_and_variance(one: Prepared, other: Prepared) -> tuple[float, float]:
    """T of the first expert of each side, and the variance that its z was divided by."""
    aligned = float(np.sum(one.vectors[0].astype(np.float64) * other.vectors[0]))
    return aligned, (aligned / float(z_scores(one, other)[0, 0])) ** 2


@settings(max_examples=15, deadline=None)
@given(
    st.integers(0, 999),
    st.sampled_from([2, 4, 7, 8, 9, 16, 17]),
    st.integers(1, 4),
    st.integers(20, 50),
)
def test_the_steps_are_those_of_the_specification(
    seed: int, rows: int, references: int, neurons: int
) -> None:
    theirs, ours = draw(seed, references, rows, neurons), draw(seed + 1, 3, rows, neurons)
    np.testing.assert_allclose(fast_z(ours, theirs), slow_z(ours, theirs), rtol=2e-3, atol=2e-3)


def test_the_steps_are_those_of_the_specification_with_dead_neurons() -> None:
    theirs, ours = draw(0, 3, 8, 24), draw(1, 2, 8, 24)
    theirs[1, :, 5] = 0
    ours[:, :, 7] = 0
    np.testing.assert_allclose(fast_z(ours, theirs), slow_z(ours, theirs), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("rows", "neurons"), [(1, 6), (3, 6), (8, 5), (9, 6)])
def test_mean_and_variance_are_exact_over_all_relabellings(rows: int, neurons: int) -> None:
    preparation, references = prepare_references(draw(2, 3, rows, neurons))
    targets = prepare_targets(draw(3, 1, rows, neurons), preparation)
    one = references.take(np.array([1]))
    aligned, variance = aligned_and_variance(targets, one)
    ours = targets.vectors[0].astype(np.float64)
    theirs = one.vectors[0].astype(np.float64)
    every = [float(np.sum(ours * theirs[:, order])) for order in permutations(range(neurons))]
    assert min(abs(value - aligned) for value in every) < 1e-5
    assert abs(np.mean(every)) < 1e-5
    assert np.var(every) == pytest.approx(variance, rel=1e-4)


def test_random_relabellings_agree_with_the_variance() -> None:
    rng = np.random.default_rng(0)
    preparation, references = prepare_references(draw(4, 4, 8, 64))
    one = references.take(np.array([0]))
    raw = draw(5, 1, 8, 64)
    relabelled = np.concatenate([raw[:, :, rng.permutation(64)] for _ in range(20_000)])
    z = z_scores(prepare_targets(relabelled, preparation), one)[:, 0]
    assert abs(z.mean()) < 4 / np.sqrt(len(z))
    assert z.std() == pytest.approx(1, abs=4 / np.sqrt(2 * len(z)))


def test_relabelling_both_sides_alike_changes_nothing() -> None:
    order = np.random.default_rng(1).permutation(48)
    ours, theirs = draw(0, 3, 8, 48), draw(1, 4, 8, 48)
    np.testing.assert_allclose(
        fast_z(ours[:, :, order], theirs[:, :, order]), fast_z(ours, theirs), atol=1e-3
    )


@pytest.mark.parametrize("side", ["target", "reference"])
def test_a_positive_scale_for_each_column_changes_nothing(side: str) -> None:
    """So FP8 codes serve without their scales: in rows of one block a column has one."""
    rng = np.random.default_rng(2)
    ours, theirs = draw(0, 3, 8, 48), draw(1, 4, 8, 48)
    scale = 2.0 ** rng.integers(-9, 9, (1, 48)).astype(np.float32)
    expected = fast_z(ours, theirs)
    found = fast_z(ours * scale, theirs) if side == "target" else fast_z(ours, theirs * scale)
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("factor", [1e-6, 0.3, 1e6])
def test_the_scale_of_an_expert_changes_nothing(factor: float) -> None:
    ours, theirs = draw(0, 3, 8, 48), draw(1, 4, 8, 48)
    scaled = (ours * np.array([factor, 1, 1])[:, None, None]).astype(np.float32)
    np.testing.assert_allclose(fast_z(scaled, theirs), fast_z(ours, theirs), atol=1e-4)


def test_rows_of_a_prepared_expert_are_standard() -> None:
    rows = standard_rows(unit_neurons(draw(0, 2, 8, 100)))
    np.testing.assert_allclose(rows.mean(axis=2), 0, atol=1e-6)
    np.testing.assert_allclose(rows.std(axis=2), 1, rtol=1e-5)


def test_constant_rows_and_zero_neurons_stay_zero() -> None:
    raw = np.zeros((1, 3, 4), np.float32)
    assert not unit_neurons(raw).any()
    assert not standard_rows(np.ones((1, 2, 4), np.float32)).any()


def test_an_expert_of_zeros_has_z_0() -> None:
    ours = draw(0, 2, 8, 32)
    ours[1] = 0
    found = fast_z(ours, draw(1, 3, 8, 32))
    assert np.all(found[1] == 0)
    assert np.all(found[0] != 0)


def test_one_parent_of_all_is_found() -> None:
    """Subtracting the mean of the targets too would leave z at 0 here."""
    rng = np.random.default_rng(3)
    layer = draw_layer(8, 256, rng)
    theirs = layer.draw(16, rng)
    children = drifted(np.repeat(theirs[5:6], 24, axis=0), layer, 0.5, rng)
    z = fast_z(children, theirs)
    assert np.all(z.argmax(axis=1) == 5)
    assert z[:, 5].min() > 15


def test_a_common_ancestor_of_the_references_is_not_a_parent() -> None:
    """z alone is lifted by it, alike for all references: the contrast takes that off."""
    rng = np.random.default_rng(4)
    layer = draw_layer(8, 256, rng)
    ancestor = layer.draw(1, rng)
    theirs = drifted(np.repeat(ancestor, 64, axis=0), layer, 1.0, rng)
    strangers = drifted(np.repeat(ancestor, 8, axis=0), layer, 1.0, rng)
    z = fast_z(strangers, theirs)
    assert np.minimum(z, leave_one_out_contrast(z)).max() < 4


@pytest.mark.parametrize("references", [1, 2, 5])
def test_few_references_still_show_the_parent(references: int) -> None:
    rng = np.random.default_rng(5)
    layer = draw_layer(8, 256, rng)
    theirs = layer.draw(references, rng)
    z = fast_z(drifted(theirs, layer, 1.0, rng), theirs)
    assert np.array_equal(z.argmax(axis=1), np.arange(references))
    assert z.diagonal().min() > 10


@pytest.mark.parametrize("rows", [8, 32])
def test_a_copy_reaches_copy_z(rows: int) -> None:
    rng = np.random.default_rng(6)
    layer = draw_layer(rows, 384, rng)
    theirs = layer.draw(24, rng)
    preparation, prepared = prepare_references(theirs)
    targets = prepare_targets(quantized(theirs), preparation)
    reached = z_scores(targets, prepared).diagonal() / copy_z(targets, prepared)
    assert np.all((reached > 0.85) & (reached < 1.05))
    assert copy_z(prepare_targets(0 * theirs, preparation), prepared).max() == 0


def prepared_family(weights: dict[int, float]) -> tuple[Prepared, Prepared]:
    """A target that is a weighted sum of references, and the references."""
    rng = np.random.default_rng(7)
    layer = draw_layer(16, 512, rng)
    theirs = layer.draw(20, rng)
    mixed = sum(weight * theirs[parent] for parent, weight in weights.items())
    target = drifted(np.asarray(mixed, np.float32)[None], layer, 0.3, rng)
    preparation, references = prepare_references(theirs)
    return prepare_targets(target, preparation), references


def test_both_parents_of_a_mixture_add_to_each_other() -> None:
    target, references = prepared_family({3: 0.5, 11: 0.5})
    pair = pair_contrast(target, references, 3, 11)
    assert min(pair.first_given_second, pair.second_given_first) > 15
    assert abs(pair.contrast_z) < 10


def test_a_stranger_adds_nothing_to_the_parent() -> None:
    target, references = prepared_family({3: 1.0})
    pair = pair_contrast(target, references, 3, 11)
    assert (pair.first, pair.second) == (3, 11)
    assert pair.contrast_z > 15
    assert pair.first_given_second > 15
    assert abs(pair.second_given_first) < 4


def test_a_pair_contrast_turns_round_with_its_pair() -> None:
    target, references = prepared_family({3: 0.7, 11: 0.3})
    one = pair_contrast(target, references, 3, 11)
    other = pair_contrast(target, references, 11, 3)
    assert one.contrast_z == pytest.approx(-other.contrast_z, rel=1e-4)
    assert one.first_given_second == pytest.approx(other.second_given_first, rel=1e-4)


def test_a_common_ancestor_of_the_references_makes_no_relatives_of_strangers() -> None:
    """Unit norm brought the ancestor back: strangers from it had a mean z of 3 to 4.5."""
    rng = np.random.default_rng(5)
    ancestor = rng.standard_normal((1, 8, 512))
    family = (ancestor + rng.standard_normal((56, 8, 512))).astype(np.float32)
    preparation, references = prepare_references(family[:16])
    z = z_scores(prepare_targets(family[16:], preparation), references)
    own = z_scores(prepare_targets(family[:16], preparation), references)
    assert abs(z.mean()) < 0.2
    assert np.abs(z).max() < 5
    assert np.diag(own).min() > 30


def test_references_unequally_far_from_an_ancestor_are_no_parents_of_its_other_children() -> None:
    """With the mean alone taken off, the reference nearest to the ancestor got z of 6 to 14."""
    rng = np.random.default_rng(6)
    layer = draw_layer(8, 512, rng)
    ancestor = layer.draw(1, rng)
    theirs = np.concatenate([drifted(ancestor, layer, 0.7 + 0.05 * i, rng) for i in range(16)])
    strangers = drifted(np.repeat(ancestor, 40, axis=0), layer, 1.0, rng)
    z = fast_z(strangers, theirs)
    assert abs(z.mean()) < 0.2
    assert z.max() < 5
    assert fast_z(drifted(theirs, layer, 1.0, rng), theirs).diagonal().min() > 15
