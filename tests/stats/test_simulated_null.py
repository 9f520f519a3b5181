"""The test on experts as trained ones are: false positives where nothing descends, and power."""

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import binom

from inspector.stats.calibration import uniform_distance
from inspector.stats.contrast import leave_one_out_contrast
from inspector.stats.correction import holm_accepts, log10_upper_tail, z_of_upper_tail
from inspector.stats.matching import prepare_references, prepare_targets, z_scores
from tests.stats.simulated import draw_layer, drifted, quantized, reinitialised

Float64 = npt.NDArray[np.float64]

CHANCE = 1e-4
"""How often a right implementation would leave the bounds: both sides together."""


def sibling_z(
    layers: int, targets: int, references: int, neurons: int, *, rows: int = 8
) -> Float64:
    """z of experts against siblings that share all of their layer but an ancestor."""
    found = []
    for number in range(layers):
        rng = np.random.default_rng([11, number])
        layer = draw_layer(rows, neurons, rng)
        preparation, prepared = prepare_references(layer.draw(references, rng))
        ours = prepare_targets(quantized(layer.draw(targets, rng)), preparation)
        found.append(z_scores(ours, prepared))
    return np.concatenate(found)


@pytest.fixture(scope="module")
def null() -> Float64:
    return sibling_z(10, 96, 40, 384)


@pytest.mark.parametrize("alpha", [0.1, 0.01, 0.001])
def test_false_positives_of_z_are_nominal(null: Float64, alpha: float) -> None:
    hits = int(np.sum(null > z_of_upper_tail(alpha)))
    low, high = binom.interval(1 - CHANCE, null.size, alpha)
    assert low <= hits <= high


@pytest.mark.parametrize("alpha", [0.1, 0.01, 0.001])
def test_false_positives_of_the_contrast_are_at_most_nominal(null: Float64, alpha: float) -> None:
    star = np.minimum(null, leave_one_out_contrast(null))
    hits = int(np.sum(star > z_of_upper_tail(alpha)))
    assert hits <= binom.ppf(1 - CHANCE / 2, null.size, alpha)


def test_p_values_are_uniform(null: Float64) -> None:
    assert uniform_distance(null.ravel()) < 2 / np.sqrt(null.size)


def test_no_sibling_is_a_parent_at_the_family_wise_level(null: Float64) -> None:
    log10_p = log10_upper_tail(null.ravel())
    assert not holm_accepts(log10_p, hypotheses=null.size, alpha=0.01).any()


@pytest.mark.parametrize("references", [2, 4, 8, 16])
def test_centring_few_references_leaves_z_standard(references: int) -> None:
    """The z of one target against R references sum to about zero; each is standard all the same."""
    z = sibling_z(64 // references, 48, references, 256)
    independent = len(z)
    assert z.std() == pytest.approx(1, abs=5 / np.sqrt(2 * independent))
    assert abs(z.mean()) < 5 / np.sqrt(z.size)


def test_the_smallest_p_over_references_and_nested_looks_is_within_its_bound() -> None:
    """p of one expert, times references and looks, is below .05 at most 5 % of the time."""
    looks, references, rng = (8, 16, 48), 8, np.random.default_rng(12)
    layer = draw_layer(looks[-1], 256, rng)
    theirs, ours = layer.draw(references, rng), layer.draw(16, rng)
    relabelled = np.concatenate([ours[:, :, rng.permutation(256)] for _ in range(30)])
    best = np.zeros(len(relabelled))
    for rows in looks:
        preparation, prepared = prepare_references(theirs[:, :rows])
        z = z_scores(prepare_targets(relabelled[:, :rows], preparation), prepared)
        best = np.minimum(best, log10_upper_tail(z).min(axis=1))
    hits = int(np.sum(best + np.log10(references * len(looks)) < np.log10(0.05)))
    assert hits <= binom.ppf(1 - CHANCE, len(relabelled), 0.05)


@pytest.mark.parametrize(
    ("fraction", "sigma", "median"),
    [(0, 0, 101), (0, 0.5, 89), (0, 1, 68), (0, 2, 43), (0, 3, 31), (0, 5, 19),
     (0.5, 0.3, 46), (0.75, 0.3, 23), (0.75, 1, 16), (0.5, 2, 21)],
)  # fmt: skip
def test_power_at_8_rows_is_that_of_the_study(fraction: float, sigma: float, median: float) -> None:
    """m = 1536 as in the study, 32 references of its 128; medians within a fifth."""
    rng = np.random.default_rng([13, int(100 * fraction), int(10 * sigma)])
    layer = draw_layer(8, 1536, rng)
    parents = layer.draw(32, rng)
    children = drifted(reinitialised(parents, layer, fraction, rng), layer, sigma, rng)
    preparation, prepared = prepare_references(parents)
    z = z_scores(prepare_targets(quantized(children), preparation), prepared)
    star = np.minimum(z, leave_one_out_contrast(z))
    assert np.array_equal(star.argmax(axis=1), np.arange(32))
    assert star.diagonal().min() > z_of_upper_tail(0.01 / 6_160_384)
    assert float(np.median(z.diagonal())) == pytest.approx(median, rel=0.2)
