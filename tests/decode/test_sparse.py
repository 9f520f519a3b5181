"""Matrices of which two of each four values are stored, and a mask (compressed-tensors)."""

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
    weight = only_weight(checkpoint)
    with pytest.raises(DecodeError, match="has not 8 bits in every row"):
        checkpoint.reader.read_values(weight, 0, 4)


TOLD: dict[str, tuple[dict[str, Array], str]] = {
    "no mask": ({".compressed": np.ones((4, 8), np.float32)}, "only two of each four"),
    "another mask": (
        {".compressed": np.ones((4, 8), np.float32), ".bitmask": np.ones((4, 4), np.uint8)},
        r"are decoded, not \[4, 4\]",
    ),
    "sparse-bitmask": (
        {".compressed": np.ones(8, np.float32), ".bitmask": np.ones((4, 2), np.uint8),
         ".shape": np.array([4, 16]), ".row_offsets": np.arange(4)},
        r"w.compressed \[8\] holds what is not zero; only two of each four",
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
