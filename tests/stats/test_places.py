import math

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import binom

from inspector.stats.places import all_rows_in_place, log10_p_of_places, rows_in_place

Float32 = npt.NDArray[np.float32]


def naive_hits(target: Float32, reference: Float32) -> int:
    ours = target - target.mean(axis=0)
    theirs = reference - reference.mean(axis=0)
    hits = 0
    for i, row in enumerate(ours):
        cosines = [
            float(row @ other / np.linalg.norm(row) / np.linalg.norm(other)) for other in theirs
        ]
        hits += cosines[i] == max(cosines) and cosines[i] > 0
    return hits


def test_hits_are_those_of_a_loop() -> None:
    rng = np.random.default_rng(0)
    references = rng.standard_normal((6, 8, 20)).astype(np.float32)
    target = (references[2] + rng.standard_normal((8, 20))).astype(np.float32)
    expected = [naive_hits(target, one) for one in references]
    assert rows_in_place(target, references).tolist() == expected
    assert expected[2] > 4
    several = np.stack([target, references[4], -target])
    assert all_rows_in_place(several, references).tolist() == [
        [naive_hits(one, other) for other in references] for one in several
    ]


def test_zeros_and_ties_match_nothing() -> None:
    rows = np.random.default_rng(1).standard_normal((1, 6, 12)).astype(np.float32)
    assert rows_in_place(0 * rows[0], rows).tolist() == [0]
    assert rows_in_place(np.ones((6, 12), np.float32), np.ones((1, 6, 12), np.float32)) == [0]
    twice = np.concatenate([rows[0, :3], rows[0, :3]])
    assert rows_in_place(twice, twice[None]).tolist() == [0]


def test_the_bound_is_one_over_h_factorial() -> None:
    found = log10_p_of_places(np.arange(17))
    for hits, log10_p in enumerate(found.tolist()):
        assert log10_p == pytest.approx(-math.log10(math.factorial(hits)))


@pytest.mark.parametrize("alike", [0.0, 2.0], ids=["strangers", "one direction in common"])
def test_relabelled_rows_match_within_the_bound(alike: float) -> None:
    """16 rows in another order, thousands of times: whatever the rows have in common."""
    rng = np.random.default_rng(2)
    shared = alike * rng.standard_normal((1, 40)) * rng.standard_normal((16, 1))
    target = (rng.standard_normal((16, 40)) + shared).astype(np.float32)
    reference = (target + rng.standard_normal((16, 40))).astype(np.float32)
    relabelled = np.stack([reference[rng.permutation(16)] for _ in range(4000)])
    hits = rows_in_place(target, relabelled)
    for h in range(1, 7):
        found = int(np.sum(hits >= h))
        assert found <= binom.ppf(1 - 1e-4, len(hits), 1 / math.factorial(h))
    assert rows_in_place(target, reference[None])[0] > 12
