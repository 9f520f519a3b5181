"""Slices and one model against itself, as the study makes and counts them, at reduced size."""

import numpy as np
import pytest

from benchmarks.study.kin import kin_null, kin_run
from benchmarks.study.slices import slice_null, slice_power

LAYER = {"rows": 8, "neurons": 240, "references": 24}
MODEL = {"neurons": 192, "layers": 2, "experts": 20}


def rng() -> np.random.Generator:
    return np.random.default_rng(9)


@pytest.mark.parametrize("start", [0, 60])
def test_slices_are_found_in_their_place(start: int) -> None:
    found = slice_power({**LAYER, "start": start, "kept": 120, "sigma": 0.3}, rng())
    assert found.counts == {"children": 24, "found": 24, "in place": 24}
    assert np.median(found.samples["own"]) > 15


def test_slices_that_drifted_too_far_are_not_found() -> None:
    found = slice_power({**LAYER, "start": 60, "kept": 30, "sigma": 8.0}, rng())
    assert found.counts["found"] < 3
    assert found.counts["in place"] < 3


def test_strangers_of_another_size_keep_the_level() -> None:
    found = slice_null({**LAYER, "kept": 120, "targets": 40}, rng())
    for name in ("z", "star", "shifts"):
        assert found.counts[f"{name} tests"] == 40 * 24
        assert found.counts[f"{name} at 0.001"] <= 6
    assert found.counts["z at 0.01"] >= 1


@pytest.mark.parametrize(("pairs", "sigma"), [(0, 0.0), (3, 0.3)])
def test_every_expert_of_a_model_is_of_a_pair_or_unrelated(pairs: int, sigma: float) -> None:
    parameters: dict[str, float] = {**MODEL, "pairs": pairs, "sigma": sigma}
    found = kin_run(parameters, rng()).counts
    assert found["related"] == found["found"] == 2 * 2 * pairs
    assert found["unrelated"] == 2 * (20 - 2 * pairs)
    assert found["wrong"] == found["given a relative"] == 0


def test_pairs_that_have_nothing_left_in_common_are_not_found() -> None:
    found = kin_run({**MODEL, "pairs": 3, "sigma": 100.0}, rng()).counts
    assert (found["found"], found["wrong"]) == (0, 0)


def test_no_expert_is_tested_against_itself() -> None:
    found = kin_null(LAYER, rng()).counts
    assert found["z tests"] == found["star tests"] == 24 * 23
    assert found["accepted"] == 0
    assert found["z at 0.001"] <= 4
