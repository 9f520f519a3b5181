from itertools import permutations

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import binom

from inspector.stats.correction import z_of_upper_tail
from inspector.stats.matching import Prepared, prepare_references, prepare_targets
from inspector.stats.permuted import (
    contrast_to_controls,
    likeness_of_moments,
    match_neurons,
    matched_z,
    shortlist,
    third_moments,
)
from tests.stats.simulated import draw_layer, drifted, quantized, reinitialised

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]


def naive_matches(target: Float32, reference: Float32) -> list[tuple[int, int]]:
    def cosine(i: int, j: int) -> float:
        one, other = target[:, i], reference[:, j]
        return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))

    neurons = range(target.shape[1])
    table = np.array([[cosine(i, j) for j in neurons] for i in neurons])
    forth, back = table.argmax(axis=1).tolist(), table.argmax(axis=0).tolist()
    return [(i, j) for i, j in enumerate(forth) if back[j] == i]


def test_matches_are_mutually_nearest() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.standard_normal((2, 4, 30)).astype(np.float32)
    ours, theirs = match_neurons(one, other)
    assert list(zip(ours.tolist(), theirs.tolist(), strict=True)) == naive_matches(one, other)


def test_matches_are_one_to_one_where_neurons_are_equal_or_zero() -> None:
    rng = np.random.default_rng(11)
    one, other = rng.standard_normal((2, 4, 30)).astype(np.float32)
    one[:, 5] = one[:, 6]
    other[:, 7] = other[:, 8] = one[:, 5]
    one[:, 10:14] = 0
    other[:, :3] = 0
    ours, theirs = match_neurons(one, other)
    assert len(np.unique(ours)) == len(np.unique(theirs)) == len(ours)
    assert (5, 7) in zip(ours.tolist(), theirs.tolist(), strict=True)
    cosines = one.T @ other
    assert not np.any(cosines[ours, theirs] < 0)


def test_z_of_pairs_has_the_exact_variance_of_their_relabellings() -> None:
    rng = np.random.default_rng(1)
    one, other = rng.standard_normal((2, 3, 20)).astype(np.float32)
    pairs = np.arange(17), rng.permutation(20)[:17]
    relabelled = [matched_z(one, other, (pairs[0], rng.permutation(pairs[1]))) for _ in range(4000)]
    assert np.std(relabelled) == pytest.approx(1, abs=0.05)
    assert abs(np.mean(relabelled)) < 0.07


def test_few_pairs_are_no_sample() -> None:
    one, other = np.random.default_rng(2).standard_normal((2, 3, 20)).astype(np.float32)
    few = np.arange(15)
    assert matched_z(one, other, (few, few)) == 0


def test_the_contrast_is_never_in_units_below_one() -> None:
    controls = np.linspace(7, 7.15, 16)
    found = float(contrast_to_controls(np.array(12.0), controls))
    assert found == pytest.approx((12 - np.median(controls)) / (1 + np.pi / 32) ** 0.5)
    wide = 7 + 3.0 * np.random.default_rng(3).standard_normal(40)
    assert float(contrast_to_controls(np.array(12.0), wide)) < 3


class Halves:
    """References of a layer on even and odd rows, and targets prepared alike."""

    def __init__(self, references: Float32) -> None:
        self.parts = [prepare_references(references[:, start::2]) for start in (0, 1)]

    def targets(self, raw: Float32) -> tuple[Prepared, Prepared]:
        match, test = (prepare_targets(raw[:, start::2], self.parts[start][0]) for start in (0, 1))
        return match, test

    def likeness(self, raw: Float32) -> list[Float32]:
        return [likeness_of_moments(*one) for one in self.beside(raw)]

    def beside(self, raw: Float32) -> list[tuple[Prepared, Prepared]]:
        """Targets and references of each half."""
        return list(zip(self.targets(raw), (part[1] for part in self.parts), strict=True))

    def z(self, raw: Float32, chosen: list[list[int]]) -> Float64:
        match, test = self.targets(raw)
        (_, theirs), (_, their_test) = self.parts
        return np.array(
            [
                [
                    matched_z(
                        test.vectors[e],
                        their_test.vectors[r],
                        match_neurons(match.vectors[e], theirs.vectors[r]),
                    )
                    for r in row
                ]
                for e, row in enumerate(chosen)
            ]
        )


def test_strangers_of_one_basis_agree_and_the_contrast_takes_it_off() -> None:
    """z alone would make relatives of them: its mean is 7 to 17 in the study, near 1
    here. In contrast to 16 controls the false positives are at most nominal."""
    rng = np.random.default_rng(4)
    layer = draw_layer(64, 256, rng)
    halves = Halves(layer.draw(18, rng))
    z = halves.z(quantized(layer.draw(40, rng)), [list(range(18))] * 40)
    assert z.mean() > 0.5
    star = np.array(
        [contrast_to_controls(row[r], np.delete(row, r)[:16]) for row in z for r in range(18)]
    )
    assert star.std() < 1.05
    for alpha in (0.1, 0.01, 0.001):
        hits = int(np.sum(star > z_of_upper_tail(alpha)))
        assert hits <= binom.ppf(1 - 1e-4, star.size, alpha)


@pytest.mark.parametrize(("fraction", "sigma"), [(0, 0.3), (0, 1.5), (0.5, 0.3), (0.75, 0.3)])
def test_a_permuted_expert_is_on_the_shortlist_and_stands_out(
    fraction: float, sigma: float
) -> None:
    rng = np.random.default_rng([5, int(10 * sigma), int(10 * fraction)])
    layer = draw_layer(128, 512, rng)
    theirs = layer.draw(24, rng)
    children = quantized(drifted(reinitialised(theirs, layer, fraction, rng), layer, sigma, rng))
    children = np.stack([one[:, rng.permutation(512)] for one in children[:8]])
    halves = Halves(theirs)
    found = shortlist(halves.likeness(children), 3)
    assert all(e in found[e] for e in range(8))
    z = halves.z(children, [[e, *((e + 1 + i) % 24 for i in range(16))] for e in range(8)])
    stars = [float(contrast_to_controls(row[0], row[1:])) for row in z]
    assert min(stars) > z_of_upper_tail(0.001 / 6_160_384)


def test_order_of_neurons_does_not_change_the_shortlist() -> None:
    """Nor does another order in each half: rows that test may rank, as nothing of the order that
    is tested enters."""
    rng = np.random.default_rng(6)
    layer = draw_layer(32, 128, rng)
    raw = layer.draw(10, rng)
    halves = Halves(raw)
    targets = drifted(reinitialised(raw[:4], layer, 0.5, rng), layer, 0.5, rng)
    found = shortlist(halves.likeness(targets), 10)
    again = [
        likeness_of_moments(Prepared(one.vectors[:, :, rng.permutation(128)], one.grams), other)
        for one, other in halves.beside(targets)
    ]
    np.testing.assert_array_equal(shortlist(again, 10)[:, :3], found[:, :3])
    assert found[:, 0].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("rows", [1, 5, 8, 19])
def test_third_moments_are_sums_of_cosines_cubed_over_all_pairs(rows: int) -> None:
    rng = np.random.default_rng(8)
    ours, theirs = rng.standard_normal((2, 3, rows, 12)).astype(np.float32)
    found = third_moments(ours) @ third_moments(theirs).T
    cubes = np.einsum("eki,rkj->erij", ours, theirs, dtype=np.float64) ** 3
    error = np.abs(found - cubes.sum(axis=(2, 3)))
    assert np.all(error <= 1e-6 * np.abs(cubes).sum(axis=(2, 3)))


@pytest.mark.parametrize(("experts", "references"), [(1, 1), (3, 2), (1, 5)])
def test_few_experts_have_a_shortlist_too(experts: int, references: int) -> None:
    rng = np.random.default_rng(9)
    layer = draw_layer(32, 128, rng)
    halves = Halves(layer.draw(references, rng))
    found = shortlist(halves.likeness(layer.draw(experts, rng)), 3)
    assert found.shape == (experts, min(3, references))


def test_all_permuted_from_one_reference_have_it_on_the_shortlist() -> None:
    """What targets have in common was taken off them, which took off the parent with it."""
    rng = np.random.default_rng(10)
    layer = draw_layer(64, 256, rng)
    theirs = layer.draw(20, rng)
    children = drifted(np.repeat(theirs[7:8], 6, axis=0), layer, 1.0, rng)
    children = np.stack([one[:, rng.permutation(256)] for one in children])
    found = shortlist(Halves(theirs).likeness(children), 3)
    assert found[:, 0].tolist() == [7] * 6


def test_all_orders_of_a_small_expert_match_alike() -> None:
    one = np.random.default_rng(7).standard_normal((3, 4)).astype(np.float32)
    for order in permutations(range(4)):
        ours, theirs = match_neurons(one[:, list(order)], one)
        assert theirs.tolist() == list(order)
        assert ours.tolist() == [0, 1, 2, 3]
