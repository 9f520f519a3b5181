"""Decoding by torch is decoding here, bit for bit; and what is said where there is no device."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from inspector.decode.blocks import Factor
from inspector.decode.device import CPU, multiplies, open_device, ready
from inspector.decode.numeric import NUMPY_DTYPES
from inspector.errors import DecodeError, DeviceNotThere, UsageError
from inspector.format.codings import E2M1, PLAIN_CODINGS, Action
from inspector.format.dtypes import Dtype
from tests.decode.test_fp8 import QUANTIZED, Case, cases, naive_decode
from tests.strategies_arrays import Array, Float32, float32
from tests.torch_devices import DEVICES, HAS_CUDA, device_of, needs_cuda, needs_torch

SMALL = [*QUANTIZED, Dtype.BF16, Dtype.F16]


def every_code(dtype: Dtype) -> Array:
    """All patterns of 8 or 16 bits, as codes."""
    bits = dtype.bits
    raw = np.arange(1 << bits, dtype=np.uint8 if bits == 8 else np.uint16)
    codes: Array = raw.view(NUMPY_DTYPES[dtype]).reshape(-1, 64)
    return codes


def same_bits(found: Float32, expected: Float32) -> bool:
    """Equal bit for bit, signs of zeros too; NaN is one number."""
    assert found.dtype == expected.dtype == np.float32
    both = np.isnan(found) & np.isnan(expected)
    return bool(((found.view(np.uint32) == expected.view(np.uint32)) | both).all())


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", SMALL, ids=str)
def test_every_code_is_the_number_that_ml_dtypes_gives(dtype: Dtype, device: str) -> None:
    codes = every_code(dtype)
    found = device_of(device).plain(codes, dtype).cpu().numpy()
    assert same_bits(found, codes.astype(np.float32))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", QUANTIZED, ids=str)
def test_every_code_times_every_exponent_is_rounded_once(dtype: Dtype, device: str) -> None:
    """E8M0: from 2^-127, which float32 holds as a subnormal number, to NaN, 0xFF."""
    codes = np.repeat(every_code(dtype).reshape(-1, 1), 256, axis=1)
    scales = np.arange(256, dtype=np.uint8).view(NUMPY_DTYPES[Dtype.F8_E8M0])
    scale = scales.astype(np.float32)[None, :]
    there = device_of(device)
    found = there.scaled(there.plain(codes, dtype), [Factor(scale, (256, 1))]).cpu().numpy()
    with np.errstate(all="ignore"):
        expected = codes.astype(np.float64) * scale
        assert same_bits(found, expected.astype(np.float32))
    assert np.isnan(found[:, 255]).all()


@pytest.mark.parametrize("device", DEVICES)
@given(case=cases())
def test_block_decode_is_a_triple_loop(case: Case, device: str) -> None:
    """Ragged blocks, any offset, any layout in memory, NaN and infinite scales."""
    there = device_of(device)
    factor = Factor(case.scale, case.block, first_row=case.first_row)
    found = there.scaled(there.plain(case.stored, case.dtype), [factor]).cpu().numpy()
    with np.errstate(all="ignore"):
        assert same_bits(found, naive_decode(case))


@pytest.mark.parametrize("device", DEVICES)
def test_scales_of_scales_are_applied_in_their_order(device: str) -> None:
    """The product of both scales is not what the codes are multiplied by."""
    there = device_of(device)
    ones = there.sent(np.full((1, 1), 3, np.float32))
    one, other = float32([[0.1]]), float32([[0.7]])
    factors = [Factor(one, (1, 1)), Factor(other, (1, 1))]
    found = there.scaled(ones, factors).cpu().numpy()
    assert found == np.float32(3) * one * other


@needs_torch
def test_scales_that_do_not_tile_are_refused_with_both_shapes() -> None:
    there = device_of("torch:cpu")
    codes = there.sent(np.ones((5, 9), np.float32))
    factor = Factor(np.ones((1, 3), np.float32), (4, 4))
    with pytest.raises(DecodeError, match=r"\[5, 9\] .* \[2, 3\], got \[1, 3\]"):
        there.scaled(codes, [factor])


@needs_torch
def test_what_torch_does_not_hold_is_refused() -> None:
    with pytest.raises(DecodeError, match="F64 is not decoded by torch"):
        device_of("torch:cpu").plain(np.ones((1, 1)), Dtype.F64)


@pytest.mark.parametrize(
    ("factor", "expected"),
    [
        (Factor(float32([[1]]), (1, 1)), True),
        (Factor(float32([[1]]), (1, 1), Action.DIVIDE), False),
        (Factor(float32([[1]]), (1, 1), Action.SUBTRACT), False),
        (Factor(float32([[1]]), (1, 1), order=np.zeros(1, np.int64)), False),
        (Factor(float32([[1]]), (1, 1), first_block=0), False),
    ],
    ids=["multiply", "divide", "subtract", "order", "over the ends of rows"],
)
def test_only_products_by_block_are_made_there(factor: Factor, *, expected: bool) -> None:
    plain = PLAIN_CODINGS[Dtype.F8_E4M3]
    assert multiplies(Dtype.F8_E4M3, plain, [factor]) is expected
    assert not multiplies(Dtype.I8, E2M1, [factor])


def test_the_processor_needs_no_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    open_device.cache_clear()
    assert open_device(CPU) is None


def test_without_torch_a_device_is_refused_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    open_device.cache_clear()
    with pytest.raises(DeviceNotThere, match="needs torch, which is not installed") as refusal:
        open_device("cuda")
    assert refusal.value.hint == "pip install torch"


@needs_torch
@pytest.mark.skipif(HAS_CUDA, reason="torch sees CUDA")
def test_a_torch_that_sees_no_gpu_is_named() -> None:
    with pytest.raises(DeviceNotThere, match=r"cuda:1: torch .* sees no CUDA"):
        open_device("cuda:1")


@needs_cuda
def test_a_gpu_that_is_not_there_is_refused_with_the_last_that_is() -> None:
    with pytest.raises(DeviceNotThere, match=r"the last of \d+ is cuda:"):
        open_device("cuda:999")


@pytest.mark.parametrize("name", ["", "gpu", "CUDA", "cuda:", "cuda:-1", "cuda:1234", "cpu\n"])
def test_what_names_no_device_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="no such device"):
        open_device(name)


@pytest.fixture
def torch() -> Any:
    return pytest.importorskip("torch", reason="torch is installed with the extra `oracle`")


def test_a_torch_that_is_too_old_is_refused(monkeypatch: pytest.MonkeyPatch, torch: Any) -> None:
    monkeypatch.delattr(torch, "OutOfMemoryError")
    open_device.cache_clear()
    with pytest.raises(DeviceNotThere, match=r"needs torch 2\.6 or later, not"):
        open_device("cuda")


def test_a_torch_that_does_not_load_says_why(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "torch.py").write_text("raise OSError('libcudart.so: no such file\\nmore')\n")
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    open_device.cache_clear()
    with pytest.raises(DeviceNotThere, match=r"torch does not load: libcudart\.so: no such file$"):
        open_device("cuda")


def test_a_device_that_cannot_compute_is_refused_before_it_is_used(torch: Any) -> None:
    """As a GPU that is too old for a build of torch, which is seen all the same."""
    with pytest.raises(DeviceNotThere, match="--device meta: "):
        ready(torch, torch.device("meta"))


def test_too_little_memory_is_an_intended_error(torch: Any) -> None:
    error = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB. GPU 0 has")
    with (
        pytest.raises(DecodeError, match=r"^cpu: CUDA out of memory$"),
        device_of("torch:cpu").memory(),
    ):
        raise error
