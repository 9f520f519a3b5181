"""Quantized matrices drawn at random, packed bit by bit, and decoded one product at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from inspector.checkpoint import Checkpoint
from inspector.decode.numeric import NUMPY_DTYPES
from inspector.format.dtypes import Dtype
from inspector.layout.weights import Weight
from tests.strategies_arrays import Array, Float32, float32, memory_checkpoint

Float64 = npt.NDArray[np.float64]

BLOCK = (4, 8)
GRANULARITIES = {"tensor": None, "channel": (1, None), "group": (1, 8), "block": BLOCK}
E2M1 = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6])
EXPONENTS = (Dtype.F8_E8M0, Dtype.U8, Dtype.I32)


@dataclass(frozen=True, slots=True)
class Quantized:
    """A weight as stored, by what is added to its module's name, and what it should decode to."""

    tensors: Mapping[str, Array]
    values: Float32
    config: Mapping[str, object] = field(default_factory=dict)


def block_of(granularity: str, shape: tuple[int, int]) -> tuple[int, int]:
    """What one scale covers."""
    if granularity == "tensor":
        return shape
    return {"channel": (1, shape[1]), "group": (1, BLOCK[1]), "block": BLOCK}[granularity]


def tiles(shape: tuple[int, int], block: tuple[int, int]) -> tuple[int, int]:
    """The grid that covers a matrix, counted by walking over it."""
    return len(range(0, shape[0], block[0])), len(range(0, shape[1], block[1]))


def draw_scale(
    rng: np.random.Generator, dtype: Dtype, grid: tuple[int, ...]
) -> tuple[Array, Float64]:
    """A scale as stored, and its values. I32 has four exponents a word, the rest of a word zero."""
    if dtype not in EXPONENTS:
        stored = rng.lognormal(-2, 1, grid).astype(NUMPY_DTYPES[dtype])
        return stored, stored.astype(np.float64)
    exponents = rng.integers(100, 150, grid)
    values = np.exp2(exponents.astype(np.float64) - 127)
    if dtype is Dtype.I32:
        words = np.zeros((*grid[:-1], -(-grid[-1] // 4)), dtype=np.int64)
        for at in np.ndindex(grid):
            words[(*at[:-1], at[-1] // 4)] |= int(exponents[at]) << (8 * (at[-1] % 4))
        return words.astype(np.uint32).view(np.int32), values
    return exponents.astype(np.uint8).view(NUMPY_DTYPES[dtype]), values


def spread(numbers: Array, block: tuple[int, int], shape: tuple[int, int]) -> Float64:
    """`[rows, columns]`: the number of each place, one at a time."""
    wide = np.empty(shape)
    for row, column in np.ndindex(shape):
        wide[row, column] = numbers[row // block[0], column // block[1]]
    return wide


def pack(codes: Array, bits: int, word_bits: int) -> Array:
    """`[rows, words]`: codes side by side in little-endian words, a bit at a time."""
    rows, columns = codes.shape
    words = np.zeros((rows, -(-columns * bits // word_bits)), dtype=np.uint64)
    for row, column in np.ndindex(rows, columns):
        for bit in range(bits):
            place = column * bits + bit
            one = (int(codes[row, column]) >> bit) & 1
            words[row, place // word_bits] |= np.uint64(one << (place % word_bits))
    return words.astype(np.uint8) if word_bits == 8 else words.astype(np.uint32).view(np.int32)


def rounded(exact: Float64) -> Float32:
    """Rounded once, as a decoder should."""
    return float32(exact)


def row_ranges(rows: int) -> Sequence[tuple[int, int]]:
    """All of a matrix, one row, and rows that begin or end inside blocks."""
    return sorted({(0, rows), (0, 1), (rows - 1, rows), (1, max(2, rows - 1)), (rows // 2, rows)})


def decoded_like(checkpoint: Checkpoint, weight: Weight, expected: Float32) -> None:
    """Any rows of a weight are those rows of the whole, bit for bit."""
    (weight,) = checkpoint.reader.settle([weight])
    assert weight.shape == expected.shape
    for start, stop in row_ranges(weight.rows):
        found = checkpoint.reader.read_values(weight, start, stop)
        np.testing.assert_array_equal(found.view(np.uint32), expected[start:stop].view(np.uint32))
        parts = [piece.values for piece in checkpoint.reader.iterate_rows(weight, start, stop)]
        np.testing.assert_array_equal(np.concatenate(parts), expected[start:stop])


def only_weight(checkpoint: Checkpoint) -> Weight:
    (weight,) = checkpoint.weights.stored_weights(checkpoint.catalog.all_rows)
    return weight


def check(case: Quantized) -> Weight:
    """Decode the one weight of a case, its tensors each in a shard of its own."""
    tensors = {f"model.layers.0.q_proj{end}": stored for end, stored in case.tensors.items()}
    shards = [{name: stored} for name, stored in tensors.items()]
    checkpoint, _ = memory_checkpoint(*shards, config=case.config)
    weight = only_weight(checkpoint)
    assert weight.name == "model.layers.0.q_proj.weight"
    decoded_like(checkpoint, weight, case.values)
    return weight
