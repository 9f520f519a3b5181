import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from inspector.analysis.histogram import Histogram, Tally
from tests.strategies_arrays import Float32, float32

floats = st.floats(width=32, allow_nan=True, allow_infinity=True)
vectors = arrays.arrays(np.float32, st.integers(0, 60), elements=floats)


def histogram_of(values: Float32, mean: float, std: float) -> Histogram | None:
    tally = Tally()
    for start in range(0, len(values), 7):
        tally.add(values[start : start + 7])
    return tally.histogram(mean, std)


def naive(values: Float32, edges: list[float]) -> tuple[list[int], int, int]:
    """One value at a time; one on an edge goes to the bin farther from zero."""
    counts, below, above = [0] * (len(edges) - 1), 0, 0
    for value in values.tolist():
        if np.isnan(value):
            continue
        negative = np.signbit(np.float32(value))
        place = sum(value > edge if negative else value >= edge for edge in edges) - 1
        if place < 0:
            below += 1
        elif place >= len(counts):
            above += 1
        else:
            counts[place] += 1
    return counts, below, above


@settings(max_examples=80)
@given(vectors, st.floats(-3, 3), st.floats(1e-3, 100))
def test_bins_are_those_of_counting_one_value_at_a_time(
    values: Float32, mean: float, std: float
) -> None:
    found = histogram_of(values, mean, std)
    assert found is not None
    counts, below, above = naive(values, found.edges)
    assert (found.counts, found.below, found.above) == (counts, below, above)
    assert sum(counts) + below + above == np.count_nonzero(~np.isnan(values))


@given(st.floats(-1e3, 1e3), st.floats(1e-6, 1e3))
def test_edges_reach_nearly_four_deviations_in_equal_steps(mean: float, std: float) -> None:
    ends = float32([mean - 3.9 * std, mean + 3.9 * std])
    found = histogram_of(ends, mean, std)
    assert found is not None
    steps = np.diff(found.edges)
    assert len(set(steps.tolist())) == 1
    assert np.frexp(steps[0])[0] == 0.5
    assert (found.below, found.above) == (0, 0)
    assert found.counts[0] > 0
    assert found.counts[-1] > 0
    assert sum(found.counts) == 2
    assert len(found.counts) <= 26
    assert max(abs(edge) for edge in found.edges) <= 257 * steps[0]


@pytest.mark.parametrize(("mean", "std"), [(1.0, 0.0), (np.inf, np.nan), (0.0, np.inf)])
def test_where_nothing_varies_or_is_finite_there_is_no_histogram(mean: float, std: float) -> None:
    assert histogram_of(float32([1.0, 1.0]), mean, std) is None
