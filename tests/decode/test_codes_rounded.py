from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt
import pytest

from inspector.decode.rounding import code_distance, rounded_codes
from inspector.format.dtypes import Dtype


def test_codes_of_decoded_values_are_the_codes() -> None:
    """All finite codes of E4M3, under scales that are no powers of two."""
    bits = np.arange(256, dtype=np.uint8)
    codes: npt.NDArray[Any] = bits[(bits & 0x7F) != 0x7F].view(ml_dtypes.float8_e4m3fn)
    for scale in (1.0, 0.0123, 3.7e-4):
        values = codes.astype(np.float32) * np.float32(scale)
        found = rounded_codes(values, np.full(codes.shape, scale, np.float32), Dtype.F8_E4M3)
        assert code_distance(found, codes).max() == 0


def test_values_beyond_the_largest_code_become_that() -> None:
    found = rounded_codes(np.array([500.0, -1e9], np.float32), None, Dtype.F8_E4M3)
    assert found.astype(np.float32).tolist() == [448.0, -448.0]


@pytest.mark.parametrize(
    ("dtype", "numpy_dtype"),
    [
        (Dtype.F8_E4M3, ml_dtypes.float8_e4m3fn),
        (Dtype.F8_E5M2, ml_dtypes.float8_e5m2),
        (Dtype.BF16, ml_dtypes.bfloat16),
    ],
)
def test_the_distance_counts_values_between(dtype: Dtype, numpy_dtype: type) -> None:
    bits = np.arange(1 << (8 * np.dtype(numpy_dtype).itemsize), dtype=np.int64)
    codes: npt.NDArray[Any] = bits.astype(f"u{np.dtype(numpy_dtype).itemsize}").view(numpy_dtype)
    finite = codes[np.isfinite(codes.astype(np.float32))]
    ordered = finite[np.argsort(finite.astype(np.float32), kind="stable")]
    values = ordered.astype(np.float32)
    expected = (np.diff(values) > 0).astype(np.int64)
    np.testing.assert_array_equal(code_distance(ordered[1:], ordered[:-1]), expected)
    assert rounded_codes(values, None, dtype).dtype == np.dtype(numpy_dtype)


@pytest.mark.parametrize(
    ("sigma", "share"), [(0.0, 1.0), (1e-3, 0.939), (1e-2, 0.763), (0.1, 0.239)]
)
def test_equal_codes_tell_a_copy_from_the_least_drift(sigma: float, share: float) -> None:
    """The study's figures; no cosine separates these."""
    rng = np.random.default_rng(0)
    parent = rng.standard_normal(200_000).astype(np.float32).astype(ml_dtypes.bfloat16)
    parent = parent.astype(np.float32)
    child = (parent + sigma * rng.standard_normal(parent.shape)).astype(np.float32)
    scale = np.full(parent.shape, np.abs(child).max() / 448, np.float32)
    codes = [rounded_codes(side, scale, Dtype.F8_E4M3) for side in (parent, child)]
    assert np.mean(code_distance(*codes) == 0) == pytest.approx(share, abs=0.04)
