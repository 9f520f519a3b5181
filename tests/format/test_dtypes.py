import re

import ml_dtypes
import numpy as np
import pytest
from safetensors import SafetensorError

from inspector.format.dtypes import DTYPE_BITS, DTYPE_BY_CODE, Dtype
from tests.format.reference import read_with_reference
from tests.hostile.build import shard, tensor

NUMPY_DTYPES = {
    Dtype.BOOL: np.bool_,
    Dtype.U8: np.uint8,
    Dtype.I8: np.int8,
    Dtype.I16: np.int16,
    Dtype.U16: np.uint16,
    Dtype.F16: np.float16,
    Dtype.I32: np.int32,
    Dtype.U32: np.uint32,
    Dtype.F32: np.float32,
    Dtype.C64: np.complex64,
    Dtype.F64: np.float64,
    Dtype.I64: np.int64,
    Dtype.U64: np.uint64,
}

ML_DTYPES = {
    Dtype.F4: ml_dtypes.float4_e2m1fn,
    Dtype.F6_E2M3: ml_dtypes.float6_e2m3fn,
    Dtype.F6_E3M2: ml_dtypes.float6_e3m2fn,
    Dtype.F8_E5M2: ml_dtypes.float8_e5m2,
    Dtype.F8_E4M3: ml_dtypes.float8_e4m3fn,
    Dtype.F8_E8M0: ml_dtypes.float8_e8m0fnu,
    Dtype.F8_E4M3FNUZ: ml_dtypes.float8_e4m3fnuz,
    Dtype.F8_E5M2FNUZ: ml_dtypes.float8_e5m2fnuz,
    Dtype.BF16: ml_dtypes.bfloat16,
}


def test_every_dtype_has_a_numpy_or_ml_dtypes_counterpart() -> None:
    assert NUMPY_DTYPES.keys() | ML_DTYPES.keys() == set(Dtype) == DTYPE_BITS.keys()


@pytest.mark.parametrize("dtype", sorted(NUMPY_DTYPES))
def test_bits_are_those_of_the_numpy_type(dtype: Dtype) -> None:
    assert dtype.bits == 8 * np.dtype(NUMPY_DTYPES[dtype]).itemsize


@pytest.mark.parametrize("dtype", sorted(ML_DTYPES))
def test_bits_are_those_of_the_ml_dtypes_type(dtype: Dtype) -> None:
    info = ml_dtypes.finfo(ML_DTYPES[dtype])  # type: ignore[no-untyped-call]  # untyped upstream
    assert dtype.bits == info.bits


@pytest.mark.parametrize("dtype", sorted(Dtype))
def test_the_reference_reads_eight_elements_from_as_many_bytes_as_one_has_bits(
    dtype: Dtype,
) -> None:
    header = {"a": tensor(0, dtype.bits, dtype=dtype, shape=[8])}
    stored = read_with_reference(shard(header, bytes(dtype.bits)))
    assert stored == {"a": (dtype, (8,), bytes(dtype.bits))}


def test_the_codes_are_exactly_those_of_the_reference() -> None:
    with pytest.raises(SafetensorError) as refusal:
        read_with_reference(shard({"a": tensor(0, 1, dtype="?")}, bytes(1)))
    offered = re.findall(r"`(\w+)`", str(refusal.value).partition("expected one of")[2])
    assert set(offered) == set(DTYPE_BY_CODE)
