import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import binom

from inspector.stats.contrast import leave_one_out_contrast
from inspector.stats.correction import z_of_upper_tail
from inspector.stats.flips import (
    MAX_FLIP_ROWS,
    outer_products,
    prepare_flip_references,
    prepare_flip_targets,
)
from inspector.stats.matching import prepare_references, prepare_targets, z_scores
from tests.stats.simulated import draw_layer, drifted, quantized, reinitialised

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]


def flip_z(targets: Float32, references: Float32) -> Float64:
    preparation, prepared = prepare_flip_references(references)
    return z_scores(prepare_flip_targets(targets, preparation), prepared)


def test_products_are_those_of_a_loop() -> None:
    raw = np.random.default_rng(0).standard_normal((2, 3, 5)).astype(np.float32)
    found = outer_products(raw)
    for expert in range(2):
        rows = [raw[expert, a] * raw[expert, b] for a in range(3) for b in range(a, 3)]
        np.testing.assert_array_equal(found[expert], np.stack(rows))


def test_signs_of_neurons_change_little() -> None:
    """By the mean of each row only, which is taken off before the products."""
    rng = np.random.default_rng(1)
    layer = draw_layer(8, 512, rng)
    theirs = layer.draw(12, rng)
    children = drifted(theirs, layer, 0.5, rng)
    negated = children * rng.choice([-1, 1], (12, 1, 512)).astype(np.float32)
    plain, flipped = (flip_z(one, theirs).diagonal() for one in (children, negated))
    np.testing.assert_allclose(flipped, plain, rtol=0.25)


@pytest.mark.parametrize(
    ("fraction", "sigma", "floor"), [(0, 0.3, 100), (0, 1, 60), (0, 2, 22), (0.9, 0.3, 8)]
)
def test_power_is_that_of_the_study(fraction: float, sigma: float, floor: float) -> None:
    """m = 1536, k = 8; the study has 141, 67, 25 and 14 in the median."""
    rng = np.random.default_rng([2, int(10 * sigma)])
    layer = draw_layer(8, 1536, rng)
    theirs = layer.draw(32, rng)
    children = drifted(reinitialised(theirs, layer, fraction, rng), layer, sigma, rng)
    children *= rng.choice([-1, 1], (32, 1, 1536)).astype(np.float32)
    z = flip_z(quantized(children), theirs)
    assert np.array_equal(z.argmax(axis=1), np.arange(32))
    assert z.diagonal().min() > floor
    preparation, prepared = prepare_references(theirs)
    signed = z_scores(prepare_targets(children, preparation), prepared)
    assert np.median(np.abs(signed.diagonal())) < 8


def test_only_the_first_rows_are_used() -> None:
    rng = np.random.default_rng(3)
    raw = rng.standard_normal((4, MAX_FLIP_ROWS + 4, 64)).astype(np.float32)
    np.testing.assert_array_equal(flip_z(raw, raw), flip_z(raw[:, :MAX_FLIP_ROWS], raw))


@pytest.fixture(scope="module")
def null() -> Float64:
    found = []
    for number in range(8):
        rng = np.random.default_rng([4, number])
        layer = draw_layer(8, 512, rng)
        found.append(flip_z(quantized(layer.draw(64, rng)), layer.draw(40, rng)))
    return np.concatenate(found)


@pytest.mark.parametrize("alpha", [0.1, 0.01, 0.001])
def test_false_positives_of_the_contrast_are_at_most_nominal(null: Float64, alpha: float) -> None:
    star = np.minimum(null, leave_one_out_contrast(null))
    hits = int(np.sum(star > z_of_upper_tail(alpha)))
    assert hits <= binom.ppf(1 - 1e-4, null.size, alpha)


def test_z_of_siblings_is_standard(null: Float64) -> None:
    assert abs(null.mean()) < 0.02
    assert null.std() == pytest.approx(1, abs=0.02)
