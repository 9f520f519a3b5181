"""What the study compares estimates with, at reduced size."""

import numpy as np
import pytest

from benchmarks.study.estimates import retained_drifts, retained_errors
from benchmarks.study.relations import before_drift, with_drift
from benchmarks.study.scenes import make_scene

SIZE = {"rows": 16, "neurons": 400, "references": 12}


def test_the_drift_of_retained_neurons_is_theirs_alone() -> None:
    parents = np.ones((1, 2, 4), dtype=np.float32)
    before = np.array([[[1, 1, 5, 5], [1, 1, 5, 5]]], dtype=np.float32)
    children = before + np.array([[[0.3, -0.3, 9, 9], [0.3, 0.3, 9, 9]]], dtype=np.float32)
    assert retained_drifts(parents, before, children) == pytest.approx([0.3])


def test_a_whole_child_has_the_drift_it_was_given_and_few_of_its_neurons_more_or_less() -> None:
    rng = np.random.default_rng(6)
    scene = make_scene(SIZE, rng)
    found = {}
    for fraction in (0.0, 0.9):
        parameters = {"fraction": fraction, "sigma": 0.5}
        before = before_drift(scene, np.arange(12), parameters, rng)
        children = with_drift(scene, before, parameters, rng)
        found[fraction] = retained_drifts(scene.references, before, children)
    assert found[0.0] == pytest.approx(0.5, rel=1e-4)
    assert np.median(found[0.9]) == pytest.approx(0.5, rel=0.2)
    assert np.std(np.log(found[0.9])) > 0.05


def test_every_child_is_counted_and_both_truths_are_kept() -> None:
    found = retained_errors(
        SIZE | {"fraction": 0.5, "sigma": 0.3, "targets": 10}, np.random.default_rng(7)
    )
    assert found.counts["children"] == 10
    assert {name: len(values) for name, values in found.samples.items()} == {
        "retained error": 10,
        "sigma error": 10,
        "sigma error, retained neurons": 10,
        "sigma width": 10,
    }
    assert np.median(found.samples["retained error"]) < 0.05
    assert np.median(found.samples["sigma error"]) < 0.15
    assert found.samples["sigma error"] != found.samples["sigma error, retained neurons"]
