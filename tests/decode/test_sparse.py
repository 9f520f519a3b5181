"""Matrices of which some values are stored, and a mask that says which (compressed-tensors)."""

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from inspector.errors import DecodeError, LayoutError
from inspector.format.dtypes import Dtype
from tests.decode.quantized import Quantized, check, only_weight, rounded
from tests.strategies_arrays import Array, Float32, float32, memory_checkpoint, random_codes


def pruned(dense: Array) -> dict[str, Array]:
    """`Sparse24BitMaskTensor.from_dense`, one value at a time: the first and last of each four."""
    rows, columns = dense.shape
    kept = np.empty((rows, columns // 2), dense.dtype)
    bits = np.zeros((rows, -(-columns // 8)), np.uint8)
    for row in range(rows):
        places = [at for at in range(columns) if at % 4 in (row % 2, 3)]
        for at, place in enumerate(places):
            kept[row, at] = dense[row, place]
            bits[row, place // 8] |= 1 << (place % 8)
        for place in set(range(columns)) - set(places):
            dense[row, place] = 0
    return {".compressed": kept, ".bitmask": bits,
            ".shape": np.array([[rows], [columns]], np.int64)}  # fmt: skip


def compressed(dense: Array) -> dict[str, Array]:
    """`BitmaskTensor.from_dense`, one value at a time: what is not zero, row after row."""
    rows = dense.reshape(-1, dense.shape[-1])
    kept: list[Any] = []
    begins: list[int] = []
    bits = np.zeros((len(rows), -(-rows.shape[1] // 8)), np.uint8)
    for at, row in enumerate(rows):
        begins.append(len(kept))
        for place, value in enumerate(row):
            if value != 0:
                kept.append(value)
                bits[at, place // 8] |= 1 << (place % 8)
    return {
        ".compressed": np.array(kept, dense.dtype),
        ".bitmask": bits.reshape(*dense.shape[:-1], -1),
        ".row_offsets": np.array(begins, np.int64).reshape(dense.shape[:-1]),
        ".shape": np.array(dense.shape, np.int64),
    }


def thinned(shape: tuple[int, ...], share: float, seed: int = 3) -> Float32:
    """Normal numbers, a share of them; of rows the second and the last have none."""
    rng = np.random.default_rng(seed)
    dense = float32(np.where(rng.random(shape) < share, rng.normal(0, 1, shape), 0))
    if len(shape) == 2 and shape[0] > 4:
        dense[1] = dense[-1] = 0
    return dense


DTYPES = (np.dtype(ml_dtypes.bfloat16), np.dtype(np.float16), np.dtype(np.float32))
RUNS = [(6, 64), (7, 20), (5, 13), (2, 8), (3, 1), (9,)]


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("shape", RUNS, ids=str)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_run_of_what_is_not_zero(
    dtype: np.dtype[Any], shape: tuple[int, ...], share: float
) -> None:
    """`sparse-bitmask`: rows store as many values as they have, some of them none."""
    dense = thinned(shape, share).astype(dtype)
    weight = check(Quantized(compressed(dense), float32(dense)))
    assert (weight.coding, len(weight.states)) == (None, 2)


def test_numbers_that_are_none_are_stored_as_others_are() -> None:
    dense = float32([[0, np.nan, -np.inf, 0, 1], [np.inf, 0, 0, 0, -2]])
    check(Quantized(compressed(dense), dense))


def test_rows_of_a_run_are_read_alone() -> None:
    dense = thinned((40, 64), 0.5)
    tensors = {f"w{end}": one for end, one in compressed(dense).items()}
    checkpoint, source = memory_checkpoint(tensors)
    (weight,) = checkpoint.reader.settle([only_weight(checkpoint)])
    source.reads.clear()
    found = checkpoint.reader.read_values(weight, 10, 12)
    np.testing.assert_array_equal(found, dense[10:12])
    assert sorted(len(span) for _, span in source.reads) == [
        2 * 8, 4 * np.count_nonzero(dense[10:12]),
    ]  # fmt: skip


def test_a_long_run_is_cut_into_pieces_as_its_values_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inspector.checkpoint.cutting.CHUNK_BYTES", 8 * 64 * 4)
    dense = thinned((40, 64), 0.1)
    tensors = {f"w{end}": one for end, one in compressed(dense).items()}
    checkpoint, _ = memory_checkpoint(tensors)
    weight = only_weight(checkpoint)
    halves = [len(weight.span(0, 20)), len(weight.span(20, 40))]
    assert sum(halves) == tensors["w.compressed"].nbytes
    assert abs(halves[0] - halves[1]) <= 4
    (weight,) = checkpoint.reader.settle([weight])
    parts = list(checkpoint.reader.iterate_rows(weight, 3, 40))
    assert [part.first_row for part in parts] == [3, 8, 16, 24, 32]
    np.testing.assert_array_equal(np.concatenate([part.values for part in parts]), dense[3:])


@pytest.mark.parametrize("columns", [64, 20])
def test_unquantized(columns: int) -> None:
    rng = np.random.default_rng(1)
    dense = rng.normal(0, 1, (6, columns)).astype(ml_dtypes.bfloat16)
    tensors = pruned(dense)
    weight = check(Quantized(tensors, float32(dense)))
    assert weight.coding is None


@pytest.mark.parametrize("dtype", [Dtype.F8_E4M3, Dtype.I8], ids=str)
def test_quantized_with_a_scale_a_row(dtype: Dtype) -> None:
    rng = np.random.default_rng(2)
    dense = random_codes(rng, dtype, (6, 32))
    scales = rng.lognormal(0, 1, (6, 1)).astype(np.float32)
    tensors = {**pruned(dense), ".weight_scale": scales}
    values: Float32 = rounded(dense.astype(np.float64) * scales)
    weight = check(Quantized(tensors, values))
    assert (weight.shape, weight.scheme) == ((6, 32), "fp8" if dtype is Dtype.F8_E4M3 else "int8")


def test_a_mask_of_other_counts_is_no_mask() -> None:
    tensors = pruned(np.ones((4, 16), np.float32))
    tensors[".bitmask"] = np.roll(tensors[".bitmask"], 1)
    tensors[".bitmask"][2, 0] = 0
    checkpoint, _ = memory_checkpoint({f"w{end}": one for end, one in tensors.items()})
    (weight,) = checkpoint.reader.settle([only_weight(checkpoint)])
    with pytest.raises(DecodeError, match="has 4 bits in row 2, of which 8 values are stored"):
        checkpoint.reader.read_values(weight, 1, 4)


OFFSETS = {
    "not from 0": ([1, 3, 6, 9], "its first row begins at 1, not at 0"),
    "backwards": ([0, 6, 3, 9], "row 1 begins at 6 and ends at 3, of 12 values"),
    "beyond the values": ([0, 3, 6, 13], "row 3 begins at 13 and ends at 12"),
    "below nothing": ([0, -3, 6, 9], "row 0 begins at 0 and ends at -3"),
    "longer than a row": ([0, 0, 0, 9], "row 2 begins at 0 and ends at 9"),
}


@pytest.mark.parametrize("why", OFFSETS)
def test_row_offsets_that_cannot_be_are_refused_before_a_value_is_read(why: str) -> None:
    offsets, says = OFFSETS[why]
    tensors = compressed(float32([[1, 1, 1, 0, 0, 0, 0, 0]] * 4))
    tensors[".row_offsets"] = np.array(offsets)
    checkpoint, _ = memory_checkpoint({f"w{end}": one for end, one in tensors.items()})
    with pytest.raises(DecodeError, match=rf"^w\.row_offsets: {says}"):
        checkpoint.reader.settle([only_weight(checkpoint)])


def test_row_offsets_of_other_rows_are_not_those_of_the_mask() -> None:
    tensors = compressed(float32([[1, 1, 1, 0, 0, 0, 0, 0]] * 4))
    tensors[".row_offsets"] = np.array([0, 3, 7, 9])
    checkpoint, _ = memory_checkpoint({f"w{end}": one for end, one in tensors.items()})
    (weight,) = checkpoint.reader.settle([only_weight(checkpoint)])
    assert (checkpoint.reader.read_values(weight, 3, 4) == [1, 1, 1, 0, 0, 0, 0, 0]).all()
    with pytest.raises(DecodeError, match="has 3 bits in row 1, of which 4 values are stored"):
        checkpoint.reader.read_values(weight, 0, 4)


@pytest.mark.parametrize("shape", [[4, 17], [4, 8], [5, 16], [4], [64]], ids=str)
@pytest.mark.parametrize("form", ["two of four", "run"])
def test_a_stored_shape_of_another_matrix_is_refused(form: str, shape: list[int]) -> None:
    dense = np.ones((4, 16), np.float32)
    tensors = pruned(dense) if form == "two of four" else compressed(dense)
    tensors[".shape"] = np.array(shape, np.int64)
    checkpoint, _ = memory_checkpoint({f"w{end}": one for end, one in tensors.items()})
    with pytest.raises(LayoutError, match=r"its stored shape \[.*\] does not fit w\.compressed"):
        checkpoint.reader.settle([only_weight(checkpoint)])


TOLD: dict[str, tuple[dict[str, Array], str]] = {
    "no mask": ({".compressed": np.ones((4, 8), np.float32)}, "no bitmask is beside it"),
    "another mask": (
        {".compressed": np.ones((4, 8), np.float32), ".bitmask": np.ones((4, 4), np.uint8)},
        r"two of each four; its bitmask is \[4, 4\]",
    ),
    "another mask of codes": (
        {".compressed": np.ones((4, 8), np.int8), ".bitmask": np.ones((4, 4), np.uint8),
         ".weight_scale": np.ones((4, 1), np.float32)},
        r"two of each four; its bitmask is \[4, 4\]",
    ),
    "a mask of words": (
        {".compressed": np.ones((4, 8), np.float32), ".bitmask": np.ones((4, 2), np.int32)},
        "its bitmask is I32, not U8",
    ),
    "no offsets": (
        {".compressed": np.ones(8, np.float32), ".bitmask": np.ones((4, 2), np.uint8),
         ".shape": np.array([4, 16])},
        "no row_offsets is beside it",
    ),
    "no shape": (
        {".compressed": np.ones(8, np.float32), ".bitmask": np.ones((4, 2), np.uint8),
         ".row_offsets": np.arange(4)},
        "no shape is beside it",
    ),
    "offsets of other rows": (
        {".compressed": np.ones(8, np.float32), ".bitmask": np.ones((4, 2), np.uint8),
         ".shape": np.array([4, 16]), ".row_offsets": np.arange(5)},
        r"its row_offsets are I64 \[5\], its bitmask \[4, 2\]",
    ),
    "short offsets": (
        {".compressed": np.ones(8, np.float32), ".bitmask": np.ones((4, 2), np.uint8),
         ".shape": np.array([4, 16]), ".row_offsets": np.arange(4, dtype=np.int32)},
        r"its row_offsets are I32 \[4\]",
    ),
    "more axes": (
        compressed(np.ones((2, 3, 8), np.float32)),
        r"sparse-bitmask of 3 axes is not decoded: \[2, 3, 1\]",
    ),
    "codes in a run": (
        compressed(np.ones((4, 8), np.int8)) | {".weight_scale": np.ones((4, 1), np.float32)},
        r"I8 codes in a run \(sparse-bitmask\) are not decoded",
    ),
    "marlin-24": (
        {".weight_packed": np.zeros((2, 128), np.int32), ".meta": np.zeros((64, 4), np.int16),
         ".scale_packed": np.ones((1, 64), np.float16)},
        "marlin-24 is the order of a kernel, which is not undone",
    ),
}  # fmt: skip


@pytest.mark.parametrize("why", TOLD)
def test_what_is_not_decoded_is_named(why: str) -> None:
    tensors, says = TOLD[why]
    checkpoint, _ = memory_checkpoint({f"w{end}": one for end, one in tensors.items()})
    with pytest.raises(LayoutError, match=rf"^w\.weight: .*{says}"):
        only_weight(checkpoint)


def test_values_of_marlin_are_counted() -> None:
    tensors, _ = TOLD["marlin-24"]
    checkpoint, _ = memory_checkpoint({f"w{end}": one for end, one in tensors.items()})
    (kind,) = checkpoint.weights.in_store.kinds()
    assert kind.stored is not None
    assert kind.stored.shape == (64, 64)
    assert not kind.is_decoded
