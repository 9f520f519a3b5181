"""The compiled kernel beside the steps of numkong and numpy, and given what does not fit."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.decode import fused
from inspector.decode.blocks import Factor, decode_rows, decode_strips
from inspector.decode.numeric import NUMPY_DTYPES
from inspector.errors import DecodeError
from inspector.format.codings import PLAIN_CODINGS, Action
from inspector.format.dtypes import Dtype
from tests.strategies_arrays import Array, Float32, assert_same_values, float32

Kernel = Callable[..., None]

DTYPES = (Dtype.F8_E4M3, Dtype.F8_E5M2)
SCALES = (
    0.0, -0.0, 1.0, -1.0, 0.1, -3.7, 2.0**-149, 2.0**-127, 1.1754943e-38, 1e-30, 1e30, -1e37,
    3.4028235e38, np.inf, -np.inf, np.nan,
)  # fmt: skip

pytestmark = pytest.mark.usefixtures("kernel")


def in_steps(codes: Array, dtype: Dtype, factor: Factor) -> Float32:
    out = np.empty(codes.shape, dtype=np.float32)
    decode_strips(codes, PLAIN_CODINGS[dtype], [factor], out)
    return out


@pytest.mark.parametrize("scale", SCALES, ids=str)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_code_times_any_scale_has_the_bits_of_numpy(dtype: Dtype, scale: float) -> None:
    every = np.arange(256, dtype=np.uint8).reshape(1, 256).view(NUMPY_DTYPES[dtype])
    factor = Factor(float32([[scale]]), (1, 256))
    with np.errstate(all="ignore"):
        expected = every.astype(np.float32) * np.float32(scale)
    found = decode_rows(every, PLAIN_CODINGS[dtype], 256, [factor])
    assert_same_values(found, expected)
    assert_same_values(in_steps(every, dtype, factor), expected)


@given(st.data())
def test_any_shape_and_blocks_have_the_bits_of_the_steps(data: st.DataObject) -> None:
    """Rows long enough for many codes at a time, and what is left over; any place in memory."""
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    dtype = data.draw(st.sampled_from(DTYPES))
    rows, columns = data.draw(st.integers(0, 20)), data.draw(st.integers(0, 300))
    block = (data.draw(st.integers(1, 9)), data.draw(st.integers(1, 130)))
    first_row, offset = data.draw(st.integers(0, 20)), data.draw(st.integers(0, 3))
    memory = rng.integers(0, 256, rows * columns + offset, dtype=np.uint8)
    codes = memory[offset:].reshape(rows, columns).view(NUMPY_DTYPES[dtype])
    grid = (-(-(first_row + rows) // block[0]), -(-columns // block[1]))
    bits = rng.integers(0, 2**32, grid, dtype=np.uint32)
    packed = np.frombuffer(bytes(offset) + bits.tobytes(), np.uint8)[offset:]
    factor = Factor(packed.view(np.float32).reshape(grid), block, first_row=first_row)
    found = decode_rows(codes, PLAIN_CODINGS[dtype], columns, [factor])
    assert_same_values(found, in_steps(codes, dtype, factor))


@pytest.mark.parametrize(
    "factors",
    [
        [],
        [Factor(float32([[2]]), (4, 8), Action.DIVIDE)],
        [Factor(float32([[2]]), (4, 8)), Factor(float32([[3]]), (4, 8))],
        [Factor(float32([[2, 3]]), (4, 4), order=np.array([1, 0] * 4))],
        [Factor(float32([[2, 3, 4, 5]]), (1, 8), first_block=0)],
    ],
    ids=["no factor", "a division", "two factors", "groups out of order", "blocks over rows"],
)
def test_what_is_no_product_by_blocks_goes_in_steps(
    factors: list[Factor], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*arguments: object, **options: object) -> None:
        raise AssertionError

    codes = np.full((4, 8), 0x38, np.uint8)
    monkeypatch.setattr(fused, "multiply_blocks", refused)
    decode_rows(codes, PLAIN_CODINGS[Dtype.F8_E4M3], 8, factors)
    with pytest.raises(AssertionError):
        decode_rows(codes, PLAIN_CODINGS[Dtype.F8_E4M3], 8, [Factor(float32([[2]]), (4, 8))])
    decode_rows(
        codes, PLAIN_CODINGS[Dtype.F8_E4M3], 8, [Factor(float32([[2]]), (4, 8))], to_odd=True
    )


def test_a_grid_that_does_not_tile_is_refused_before_the_kernel() -> None:
    with pytest.raises(DecodeError, match=r"needs scales \[2, 1\], got \[1, 1\]"):
        decode_rows(
            np.zeros((5, 8), np.uint8), PLAIN_CODINGS[Dtype.F8_E4M3], 8,
            [Factor(float32([[2]]), (4, 8))],
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Call:
    """What the kernel is called with, sizes and all."""

    codes: int
    scales: int
    out: int
    columns: int
    block: tuple[int, int]
    first_row: int

    def fits(self) -> bool:
        """Whether every place that this product would touch is there."""
        if min(self.columns, *self.block) < 1 or self.first_row < 0:
            return False
        if self.out != self.codes or self.codes % self.columns:
            return False
        groups = -(-self.columns // self.block[1])
        rows = range(self.first_row, self.first_row + self.codes // self.columns)
        return rows.stop < 2**63 and self.scales >= max(
            ((row // self.block[0] + 1) * groups for row in rows[-1:]), default=0
        )


SIZES = st.integers(0, 40)
COUNTS = st.one_of(
    st.integers(1, 12), st.sampled_from([-(2**63), -1, 0, 2**31, 2**62, 2**63 - 2, 2**63 - 1])
)


@given(st.builds(Call, SIZES, SIZES, SIZES, COUNTS, st.tuples(COUNTS, COUNTS), COUNTS))
def test_sizes_that_do_not_fit_are_refused(kernel: Kernel, call: Call) -> None:
    check_call(kernel, call)


@given(st.integers(0, 6), st.integers(1, 6), st.tuples(COUNTS, COUNTS), COUNTS, SIZES)
def test_scales_that_do_not_cover_the_codes_are_refused(
    kernel: Kernel, rows: int, columns: int, block: tuple[int, int], first_row: int, scales: int
) -> None:
    check_call(kernel, Call(rows * columns, scales, rows * columns, columns, block, first_row))


def check_call(multiply: Kernel, call: Call) -> None:
    """It is refused, or writes the products and nothing else."""
    memory = np.full(call.out + 64, 7, np.float32)
    out = memory[32 : 32 + call.out]
    arguments: tuple[Any, ...] = (
        np.full(call.codes, 0x38, np.uint8), np.full(call.scales, 3, np.float32), out,
        call.columns, *call.block, call.first_row, 3,
    )  # fmt: skip
    if call.fits():
        multiply(*arguments)
        assert (out == 3).all()
    else:
        with pytest.raises(ValueError, match=r"codes|positive|size|first_row"):
            multiply(*arguments)
        assert (out == 7).all()
    assert (memory[:32] == 7).all()
    assert (memory[32 + call.out :] == 7).all()


READ_ONLY = np.frombuffer(bytes(16), np.float32)
UNALIGNED: Float32 = np.zeros(17, np.uint8)[1:].view(np.float32)


@pytest.mark.parametrize(
    ("place", "given", "message"),
    [
        (0, np.zeros((4, 2), np.uint8)[:, 0], "contiguous"),
        (1, np.ones((4, 2), np.float32)[:, 0], "contiguous"),
        (1, np.ones(3, np.float32), "cover"),
        (1, UNALIGNED, "aligned"),
        (2, UNALIGNED, "aligned"),
        (2, READ_ONLY, "read-write"),
        (2, np.zeros((4, 2), np.float32)[:, 0], "contiguous|read-write"),
        (2, np.zeros(17, np.uint8), "another size"),
        (3, 2**63, "too large"),
        (7, 4, "mantissa"),
        (7, -1, "mantissa"),
    ],
    ids=[
        "codes apart", "scales apart", "a scale too few", "scales unaligned", "out unaligned",
        "out read-only", "out apart", "out of part of a float", "columns over 64 bits", "four bits",
        "minus one bit",
    ],
)  # fmt: skip
def test_arrays_that_the_kernel_cannot_take_are_refused(
    kernel: Kernel, place: int, given: object, message: str
) -> None:
    arguments: list[Any] = [
        np.zeros(4, np.uint8), np.ones(4, np.float32), np.zeros(4, np.float32), 2, 1, 1, 0, 3,
    ]  # fmt: skip
    kernel(*arguments)
    arguments[place] = given
    with pytest.raises((TypeError, ValueError, OverflowError), match=message):
        kernel(*arguments)


@pytest.mark.parametrize("columns", [4, 3], ids=["done", "refused"])
def test_memory_that_was_lent_is_given_back(kernel: Kernel, columns: int) -> None:
    """A bytearray cannot grow while its memory is lent."""
    lent = [bytearray(4), bytearray(16), bytearray(16)]
    with nullcontext() if columns == 4 else pytest.raises(ValueError, match="whole number"):
        kernel(*lent, columns, 1, 1, 0, 3)
    for memory in lent:
        memory.append(0)
