"""Half units in the last place, against the neighbours of every code and against ml_dtypes."""

import ml_dtypes
import numpy as np
import pytest

from inspector.analysis.compare.rounding import half_units
from inspector.decode.numeric import NUMPY_DTYPES
from inspector.format.dtypes import Dtype

FP8 = [Dtype.F8_E4M3, Dtype.F8_E5M2, Dtype.F8_E4M3FNUZ, Dtype.F8_E5M2FNUZ]


@pytest.mark.parametrize("dtype", FP8, ids=str)
def test_every_finite_code_has_half_the_distance_to_its_larger_neighbour(dtype: Dtype) -> None:
    codes = np.arange(256, dtype=np.uint8).view(NUMPY_DTYPES[dtype])
    with np.errstate(invalid="ignore"):
        values = codes.astype(np.float32)
    positive = np.unique(np.abs(values[np.isfinite(values)]))
    steps = dict(zip(positive[:-1].tolist(), (np.diff(positive) / 2).tolist(), strict=True))
    units = half_units(codes.reshape(1, -1), values.reshape(1, -1), dtype, None)
    assert units is not None
    for value, unit in zip(values.tolist(), units[0].tolist(), strict=True):
        if np.isfinite(value) and abs(value) in steps:
            assert unit == steps[abs(value)], value


@pytest.mark.parametrize(
    ("dtype", "kind"),
    [
        (Dtype.F8_E4M3, ml_dtypes.float8_e4m3fn), (Dtype.F8_E5M2, ml_dtypes.float8_e5m2),
        (Dtype.BF16, ml_dtypes.bfloat16), (Dtype.F16, np.float16),
    ],
    ids=str,
)  # fmt: skip
def test_rounding_to_nearest_stays_within_half_a_unit(dtype: Dtype, kind: type[np.generic]) -> None:
    exact = np.random.default_rng(0).standard_normal((64, 256)) * np.logspace(-3, 2, 64)[:, None]
    exact = exact.astype(np.float32).astype(np.float64)
    codes = exact.astype(np.float32).astype(kind)
    units = half_units(codes, codes.astype(np.float32), dtype, None)
    assert units is not None
    moved = np.abs(codes.astype(np.float64) - exact)
    assert (moved <= units).all()
    assert (moved > 0.9 * units).any()


def test_the_scale_of_a_block_is_found_in_its_numbers() -> None:
    codes = np.array([[0x38, 0x00, 0x40, 0x00]], dtype=np.uint8).view(ml_dtypes.float8_e4m3fn)
    values = codes.astype(np.float32) * np.array([[3, 3, 5, 5]], dtype=np.float32)
    units = half_units(codes, values, Dtype.F8_E4M3, 2)
    assert units is not None
    assert units.tolist() == [[3 * 2**-4, 3 * 2**-10, 5 * 2**-3, 5 * 2**-10]]


def test_nothing_can_be_said_of_a_block_of_zeros() -> None:
    codes = np.zeros((1, 2), dtype=np.int8)
    units = half_units(codes, np.zeros((1, 2), np.float32), Dtype.I8, 2)
    assert units is not None
    assert np.isinf(units).all()


def test_integers_move_by_half_a_scale() -> None:
    codes = np.array([[4, -2]], dtype=np.int8)
    units = half_units(codes, codes.astype(np.float32) * np.float32(0.5), Dtype.I8, 2)
    assert units is not None
    assert units.tolist() == [[0.25, 0.25]]


def test_a_dtype_of_unknown_rounding_says_so() -> None:
    codes = np.zeros((1, 1), dtype=np.int64)
    assert half_units(codes, np.zeros((1, 1), np.float32), Dtype.I64, None) is None
