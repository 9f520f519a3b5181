import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.decode.numeric import NUMPY_DTYPES, stored_array, to_float32
from inspector.errors import DecodeError
from inspector.format.dtypes import Dtype
from tests.strategies_arrays import assert_same_values

EIGHT_BITS = {
    Dtype.F8_E4M3: ml_dtypes.float8_e4m3fn,
    Dtype.F8_E5M2: ml_dtypes.float8_e5m2,
    Dtype.F8_E4M3FNUZ: ml_dtypes.float8_e4m3fnuz,
    Dtype.F8_E5M2FNUZ: ml_dtypes.float8_e5m2fnuz,
    Dtype.F8_E8M0: ml_dtypes.float8_e8m0fnu,
}
SIXTEEN_BITS = {Dtype.BF16: ml_dtypes.bfloat16, Dtype.F16: np.float16}


@pytest.mark.parametrize(("dtype", "oracle"), EIGHT_BITS.items(), ids=str)
def test_all_256_codes_have_the_values_of_ml_dtypes(dtype: Dtype, oracle: type) -> None:
    content = bytes(range(256))
    expected = np.frombuffer(content, dtype=oracle).astype(np.float32)
    assert_same_values(to_float32(stored_array(content, dtype, (256,)), dtype), expected)


@pytest.mark.parametrize(("dtype", "oracle"), SIXTEEN_BITS.items(), ids=str)
def test_all_65536_codes_have_the_values_of_their_format(dtype: Dtype, oracle: type) -> None:
    content = np.arange(65_536, dtype="<u2").tobytes()
    expected = np.frombuffer(content, dtype=oracle).astype(np.float32)
    stored = stored_array(content, dtype, (256, 256))
    assert_same_values(to_float32(stored, dtype).reshape(-1), expected)


@pytest.mark.parametrize(
    ("code", "value"),
    [(0x00, 0.0), (0x01, 2.0**-9), (0x38, 1.0), (0x7E, 448.0), (0xFE, -448.0), (0x80, -0.0)],
)
def test_e4m3_is_the_fn_variant(code: int, value: float) -> None:
    found = to_float32(stored_array(bytes([code]), Dtype.F8_E4M3, (1,)), Dtype.F8_E4M3)
    assert found[0] == value
    assert np.signbit(found[0]) == np.signbit(value)


@pytest.mark.parametrize(("code", "value"), [(0x00, 2.0**-127), (0x7F, 1.0), (0xFE, 2.0**127)])
def test_e8m0_is_a_power_of_two_with_bias_127(code: int, value: float) -> None:
    stored = stored_array(bytes([code]), Dtype.F8_E8M0, ())
    assert float(to_float32(stored, Dtype.F8_E8M0)) == value


@pytest.mark.parametrize("dtype", sorted(set(NUMPY_DTYPES) - {Dtype.C64}), ids=str)
def test_a_cast_through_any_layout_of_memory_is_the_same(dtype: Dtype) -> None:
    content = np.random.default_rng(0).integers(0, 2, 15 * dtype.bits // 8, np.uint8).tobytes()
    stored = stored_array(content, dtype, (3, 5))
    whole = to_float32(stored, dtype)
    assert_same_values(to_float32(stored.T, dtype), np.ascontiguousarray(whole.T))
    assert_same_values(to_float32(stored[::2, 1:4], dtype), np.ascontiguousarray(whole[::2, 1:4]))
    into = np.full((5, 3), 7, dtype=np.float32)
    to_float32(stored, dtype, out=into.T)
    assert_same_values(into, np.ascontiguousarray(whole.T))


@given(st.lists(st.floats(allow_nan=False), max_size=20))
def test_double_precision_is_rounded_to_the_nearest_float32(values: list[float]) -> None:
    stored = stored_array(np.array(values, "<f8").tobytes(), Dtype.F64, (len(values),))
    with np.errstate(over="ignore"):
        expected = np.array(values, np.float64).astype(np.float32)
        assert_same_values(to_float32(stored, Dtype.F64), expected)


def test_an_empty_array_is_cast() -> None:
    assert to_float32(stored_array(b"", Dtype.BF16, (0, 4)), Dtype.BF16).shape == (0, 4)


@pytest.mark.parametrize("dtype", [Dtype.F8_E4M3, Dtype.BF16, Dtype.F16, Dtype.F32], ids=str)
def test_a_scalar_is_cast(dtype: Dtype) -> None:
    """A BF16 scalar, as per-tensor scales are, stopped with "tensor ranks don't match"."""
    stored = stored_array(np.ones((), NUMPY_DTYPES[dtype]).tobytes(), dtype, ())
    found = to_float32(stored, dtype)
    assert found.shape == ()
    assert found == 1.0


def test_stored_bytes_are_not_copied() -> None:
    content = bytes(range(24))
    assert np.shares_memory(
        stored_array(content, Dtype.BF16, (3, 4)), np.frombuffer(content, dtype=np.uint8)
    )


@pytest.mark.parametrize("dtype", [Dtype.F4, Dtype.F6_E2M3, Dtype.F6_E3M2], ids=str)
def test_dtypes_below_a_byte_are_refused(dtype: Dtype) -> None:
    with pytest.raises(DecodeError, match=f"{dtype} packs elements below a byte"):
        stored_array(bytes(3), dtype, (4,))


@pytest.mark.parametrize("length", [0, 23, 25])
def test_a_wrong_number_of_bytes_is_refused_with_both_numbers(length: int) -> None:
    with pytest.raises(DecodeError, match=rf"\[3, 4\] BF16 needs 24 bytes, got {length}"):
        stored_array(bytes(length), Dtype.BF16, (3, 4))


def test_complex_numbers_have_no_float32_value() -> None:
    with pytest.raises(DecodeError, match="C64 holds complex numbers"):
        to_float32(stored_array(bytes(16), Dtype.C64, (2,)), Dtype.C64)
