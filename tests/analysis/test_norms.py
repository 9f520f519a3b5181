import numpy as np
import pytest

from inspector.analysis.norms import NormSums
from tests.strategies_arrays import float32


@pytest.mark.parametrize("cut", [0, 1, 20, 40])
def test_norms_are_those_of_numpy_in_any_pieces(cut: int) -> None:
    values = float32(np.random.default_rng(0).standard_normal((40, 9)))
    values[3] = 0
    sums = NormSums(9)
    sums.add(values[:cut])
    sums.add(values[cut:])
    found = sums.norms()
    exact = values.astype(np.float64)
    for axis, norms in ((1, found.rows), (0, found.columns)):
        expected = np.linalg.norm(exact, axis=axis)
        assert norms.values == pytest.approx(expected.tolist(), rel=1e-14)
        assert (norms.min, norms.max) == pytest.approx((expected.min(), expected.max()))
        assert norms.median == pytest.approx(np.median(expected))
        assert norms.largest == expected.argmax()
    assert (found.rows.zeros, found.columns.zeros) == (1, 0)


def test_a_row_with_a_nan_has_no_norm_and_is_left_out() -> None:
    values = float32(np.array([[3, 4], [np.nan, 1], [6, 8]]))
    sums = NormSums(2)
    sums.add(values)
    rows = sums.norms().rows
    assert rows.values == [5.0, None, 10.0]
    assert (rows.min, rows.max, rows.largest) == (5.0, 10.0, 2)


def test_small_values_do_not_underflow() -> None:
    """Squares of 1e-30 are below float32."""
    sums = NormSums(2)
    sums.add(float32([[3e-30, 4e-30]]))
    assert sums.norms().rows.max == pytest.approx(5e-30, rel=1e-6)


def test_no_rows_have_no_figures() -> None:
    rows = NormSums(2).norms().rows
    assert (rows.min, rows.median, rows.max, rows.largest, rows.values) == (
        None,
        None,
        None,
        None,
        [],
    )
