from dataclasses import replace
from itertools import permutations

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import binom

from inspector.stats.correction import z_of_upper_tail
from inspector.stats.matching import (
    Prepared,
    padded,
    prepare_references,
    prepare_targets,
    z_scores,
)
from inspector.stats.shifts import best_shifts, z_at_shifts
from tests.stats.simulated import draw_layer, drifted, quantized, reinitialised

Float32 = npt.NDArray[np.float32]


def prepared(seed: int, neurons: int, *, rows: int = 4) -> tuple[Prepared, Prepared]:
    rng = np.random.default_rng(seed)
    raw = rng.standard_normal((5, rows, neurons)).astype(np.float32)
    preparation, references = prepare_references(raw[:3])
    return prepare_targets(raw[3:], preparation), references


def rolled(targets: Prepared, shift: int) -> Prepared:
    return Prepared(np.roll(targets.vectors, shift, axis=2), targets.grams)


@pytest.mark.parametrize("neurons", [7, 8, 30])
def test_the_best_shift_is_that_of_a_loop(neurons: int) -> None:
    targets, references = prepared(neurons, neurons)
    every = np.stack([z_scores(rolled(targets, s), references) for s in range(neurons)])
    found = best_shifts(targets, references)
    np.testing.assert_array_equal(found.shift, every[1:].argmax(axis=0) + 1)
    np.testing.assert_allclose(found.z, every[1:].max(axis=0), atol=1e-4)


def test_z_at_a_shift_is_z_of_the_moved_target() -> None:
    targets, references = prepared(1, 20)
    found = z_at_shifts(targets, references, np.array([3, 19]))
    for row, shift in enumerate((3, 19)):
        expected = z_scores(rolled(targets, shift), references)[row]
        np.testing.assert_allclose(found[row], expected, atol=1e-4)


def test_an_expert_that_was_moved_is_found_with_its_shift() -> None:
    """The study: z = 44 at half of the neurons new and sigma .3."""
    rng = np.random.default_rng(2)
    layer = draw_layer(8, 1536, rng)
    theirs = layer.draw(16, rng)
    children = drifted(reinitialised(theirs, layer, 0.5, rng), layer, 0.3, rng)
    preparation, references = prepare_references(theirs)
    moved = np.roll(quantized(children), -256, axis=2)
    found = best_shifts(prepare_targets(moved, preparation), references)
    assert np.array_equal(found.z.argmax(axis=1), np.arange(16))
    assert found.z.diagonal().min() > 30
    assert set(found.shift.diagonal().tolist()) == {256}


def test_a_slice_is_found_at_its_place() -> None:
    rng = np.random.default_rng(3)
    layer = draw_layer(8, 768, rng)
    theirs = layer.draw(12, rng)
    preparation, references = prepare_references(theirs)
    slices = prepare_targets(
        drifted(theirs[:, :, 256:512], replace(layer, neurons=256), 0.5, rng), preparation
    )
    found = best_shifts(padded(slices, 768), references)
    assert np.array_equal(found.z.argmax(axis=1), np.arange(12))
    assert set(found.shift.diagonal().tolist()) == {256}


def test_mean_and_variance_of_a_slice_are_exact_over_all_relabellings() -> None:
    rng = np.random.default_rng(4)
    preparation, references = prepare_references(rng.standard_normal((2, 3, 6)).astype(np.float32))
    raw = rng.standard_normal((1, 3, 4)).astype(np.float32)
    target = padded(prepare_targets(raw, preparation), 6)
    one = references.take(np.array([0]))
    aligned = float(np.sum(target.vectors * one.vectors))
    variance = (aligned / float(z_scores(target, one)[0, 0])) ** 2
    every = [
        float(np.sum(target.vectors[0] * one.vectors[0][:, list(order)]))
        for order in permutations(range(6))
    ]
    assert abs(np.mean(every)) < 1e-5
    assert np.var(every) == pytest.approx(variance, rel=1e-4)


def test_the_best_of_all_shifts_is_within_its_bound() -> None:
    """p times the number of shifts is below alpha at most as often as alpha says."""
    rng = np.random.default_rng(5)
    layer = draw_layer(8, 256, rng)
    preparation, references = prepare_references(layer.draw(24, rng))
    targets = prepare_targets(quantized(layer.draw(400, rng)), preparation)
    z = best_shifts(targets, references).z
    for alpha in (0.1, 0.01):
        hits = int(np.sum(z > z_of_upper_tail(alpha / 255)))
        assert hits <= binom.ppf(1 - 1e-4, z.size, alpha)
