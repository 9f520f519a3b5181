"""A product of a code and a scale is rounded once, in float32 and in what is narrower."""

from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.decode.blocks import Factor, decode_rows, rounded_to_odd
from inspector.format.codings import PLAIN_CODINGS
from inspector.format.dtypes import Dtype
from tests.strategies_arrays import float32

pytestmark = pytest.mark.usefixtures("way")

E4M3 = PLAIN_CODINGS[Dtype.F8_E4M3]
NARROW = {"bfloat16": (np.dtype(ml_dtypes.bfloat16), 8), "float16": (np.dtype(np.float16), 11)}


def nearest(value: Fraction, digits: int) -> float:
    """The nearest number of so many binary digits, ties to even; for normal numbers."""
    if value == 0:
        return 0.0
    size, exponent = abs(value), 0
    while size >= 2:
        size, exponent = size / 2, exponent + 1
    while size < 1:
        size, exponent = size * 2, exponent - 1
    whole = round(size * 2 ** (digits - 1))  # Python rounds a half to even
    found = float(Fraction(whole, 2 ** (digits - 1)) * Fraction(2) ** exponent)
    return found if value > 0 else -found


@settings(max_examples=200)
@given(st.integers(0, 2**23 - 1), st.sampled_from(range(1, 0x7F)), st.sampled_from(sorted(NARROW)))
def test_a_narrow_export_is_rounded_once(fraction: int, code: int, name: str) -> None:
    dtype, digits = NARROW[name]
    scale = np.uint32((127 << 23) | fraction).view(np.float32)
    codes = np.array([[code]], np.uint8).view(ml_dtypes.float8_e4m3fn)
    factor = Factor(scale.reshape(1, 1), (1, 1))
    odd = decode_rows(codes, E4M3, 1, [factor], to_odd=True)
    exact = Fraction(float(codes[0, 0])) * Fraction(float(scale))
    assert float(odd.astype(dtype)[0, 0]) == nearest(exact, digits)


def test_rounding_to_nearest_twice_would_miss() -> None:
    """Products near the middle of two bfloat16 numbers, which float32 puts on the middle."""
    rng = np.random.default_rng(0)
    scales = rng.integers(0x3F800000, 0x40000000, 400_000, dtype=np.uint32).view(np.float32)
    codes = rng.integers(1, 0x7F, (1, 400_000), dtype=np.uint8).view(ml_dtypes.float8_e4m3fn)
    factor = Factor(scales.reshape(1, -1), (1, 1))
    once = decode_rows(codes, E4M3, scales.size, [factor], to_odd=True)
    twice = decode_rows(codes, E4M3, scales.size, [factor])
    missed = once.astype(ml_dtypes.bfloat16) != twice.astype(ml_dtypes.bfloat16)
    assert 0 < missed.sum() < 100


@pytest.mark.parametrize("exponent", [-100, -7, 0, 20])
def test_a_power_of_two_scale_is_exact_in_bfloat16(exponent: int) -> None:
    every = np.arange(256, dtype=np.uint8).reshape(1, 256)
    codes = every.view(ml_dtypes.float8_e4m3fn)
    factor = Factor(float32([[2.0**exponent]]), (1, 256))
    found = decode_rows(codes, E4M3, 256, [factor], to_odd=True).astype(ml_dtypes.bfloat16)
    expected = codes.astype(np.float64) * 2.0**exponent
    np.testing.assert_array_equal(found.astype(np.float64), expected)


def test_what_no_neighbour_holds_stays() -> None:
    values = np.array([np.nan, np.inf, -np.inf, 1e300, -1e300, 0.0, -0.0, 1e-320])
    found = rounded_to_odd(values)
    expected = [np.nan, np.inf, -np.inf, np.inf, -np.inf, 0.0, -0.0, 2.0**-149]
    np.testing.assert_array_equal(found, float32(expected))
    assert np.signbit(found[6])
