import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.stats.contrast import MAD_TO_SD, MIN_POOL, leave_one_out_contrast

Float64 = npt.NDArray[np.float64]


def naive_contrast(values: Float64, extra: Float64 | None) -> Float64:
    """Each pool written out without the value itself."""
    result = np.full(values.shape, np.nan)
    for row in range(values.shape[0]):
        for column in range(values.shape[1]):
            others = np.delete(values[row], column)
            if extra is not None:
                others = np.concatenate([others, extra[row]])
            if len(others) < MIN_POOL:
                continue
            centre = np.median(others)
            spread = MAD_TO_SD * np.median(np.abs(others - centre))
            if spread:
                result[row, column] = (values[row, column] - centre) / spread
    return result


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 9999),
    st.integers(0, 3),
    st.integers(1, 24),
    st.none() | st.integers(0, 20),
    st.sampled_from([0, 1, 3, 50]),
)
def test_contrast_is_a_loop_over_medians(
    seed: int, rows: int, count: int, extra: int | None, levels: int
) -> None:
    """`levels` of distinct values make ties; odd and even pools come from the counts."""
    rng = np.random.default_rng(seed)

    def draw(width: int) -> Float64:
        if levels:
            return rng.integers(0, levels, (rows, width)).astype(np.float64)
        return rng.standard_normal((rows, width))

    values = draw(count)
    others = None if extra is None else draw(extra)
    np.testing.assert_array_equal(
        leave_one_out_contrast(values, others), naive_contrast(values, others)
    )


@pytest.mark.parametrize(
    ("others", "extra", "some"), [(15, 0, False), (16, 0, True), (7, 8, False), (7, 9, True)]
)
def test_a_pool_needs_16_others(others: int, extra: int, some: bool) -> None:  # noqa: FBT001
    rng = np.random.default_rng(0)
    values = rng.standard_normal((2, others + 1))
    found = leave_one_out_contrast(values, rng.standard_normal((2, extra)))
    assert np.isnan(found).all() != some


def test_no_spread_gives_no_contrast() -> None:
    values = np.zeros((1, 20))
    values[0, :3] = 9.0
    assert np.isnan(leave_one_out_contrast(values)).all()


def test_a_value_is_not_in_its_own_pool() -> None:
    values = np.concatenate([[1e9], np.linspace(-1, 1, 17)])[None]
    found = leave_one_out_contrast(values)
    spread = MAD_TO_SD * np.median(np.abs(np.linspace(-1, 1, 17)))
    assert found[0, 0] == pytest.approx(1e9 / spread)
