import math

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.stats.scales import ScaleFigures, figures_of, is_power_of_two

FLOATS = st.floats(width=32, allow_nan=True, allow_infinity=True)


def test_every_exponent_of_e8m0_is_a_power_of_two_and_its_nan_is_not() -> None:
    every = np.arange(256, dtype=np.uint8).view(ml_dtypes.float8_e8m0fnu).astype(np.float32)
    assert is_power_of_two(every).tolist() == [True] * 255 + [False]
    assert every[0] == 2.0**-127  # subnormal in float32: its exponent field is zero


@given(st.lists(FLOATS, min_size=1, max_size=20))
def test_powers_of_two_are_those_of_exact_arithmetic(values: list[float]) -> None:
    def by_definition(value: float) -> bool:
        if not math.isfinite(value) or value <= 0:
            return False
        top, bottom = value.as_integer_ratio()
        return top.bit_count() == 1 and bottom.bit_count() == 1

    array = np.array(values, dtype=np.float32)
    assert is_power_of_two(array).tolist() == [by_definition(float(one)) for one in array]


def test_each_value_is_counted_where_it_belongs() -> None:
    figures = figures_of(np.array([[0.5, 0.75, -2, 0], [np.nan, np.inf, 0.5, 1e-3]], np.float32))
    assert figures == ScaleFigures(
        values=8, not_finite=2, zeros=1, usable=5, negative=1, powers_of_two=2,
        in_bfloat16=4, from_bfloat16=figures.from_bfloat16, distinct=4,
    )  # fmt: skip


def test_scales_of_bfloat16_blocks_are_known_and_others_are_not() -> None:
    rng = np.random.default_rng(0)
    largest = rng.lognormal(-3, 2, 4000).astype(ml_dtypes.bfloat16).astype(np.float64)
    made = figures_of((largest / 448).astype(np.float32))
    assert made.from_bfloat16 == made.usable == 4000
    drawn = figures_of(rng.lognormal(-3, 2, 4000).astype(np.float32))
    assert drawn.from_bfloat16 < 5


def test_values_that_bfloat16_holds_are_counted() -> None:
    rng = np.random.default_rng(1)
    values = rng.lognormal(0, 1, 500).astype(ml_dtypes.bfloat16).astype(np.float32)
    assert figures_of(values).in_bfloat16 == 500
    assert figures_of(values * np.float32(1 + 2**-20)).in_bfloat16 == 0


def test_figures_add_up_and_distinct_values_are_of_one_scale() -> None:
    one = figures_of(np.array([1, 2, 4], np.float32))
    other = figures_of(np.array([3, 3], np.float32))
    both = one + other
    assert (both.values, both.powers_of_two, both.distinct) == (5, 3, 3)


@pytest.mark.parametrize("shape", [(0,), (0, 3)], ids=str)
def test_no_values_have_no_figures(shape: tuple[int, ...]) -> None:
    assert figures_of(np.empty(shape, np.float32)) == ScaleFigures()
