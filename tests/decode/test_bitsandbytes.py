"""Weights of bitsandbytes: one run of codes in blocks, decoded one code at a time, and INT8."""

import importlib.util
from collections.abc import Mapping

import ml_dtypes
import numpy as np
import pytest

from inspector.checkpoint import Checkpoint
from inspector.errors import LayoutError
from inspector.format.codings import Number
from inspector.format.dtypes import Dtype
from inspector.layout.weights import Weight
from tests.decode.quantized import only_weight
from tests.encoding import TABLES as ENCODED
from tests.quantized import bitsandbytes_state
from tests.strategies_arrays import Array, Float32, memory_checkpoint, random_codes

TABLES = {"nf4": ENCODED[Number.NF4], "fp4": ENCODED[Number.FP4]}

SHAPES = (((16, 128), 64), ((6, 96), 64), ((5, 70), 64), ((3, 96), 32), ((2, 6), 64),
          ((4, 33), 64), ((7, 37), 32), ((5, 3), 64), ((3, 1), 64))  # fmt: skip
"""A matrix and its block: in whole blocks, or blocks that go on over the ends of rows, which may be
amid a byte; of an odd number of codes half of the last byte is left."""


def drawn(
    kind: str, shape: tuple[int, int], block: int, *, nested: bool
) -> tuple[dict[str, Array], Float32]:
    """A weight as bitsandbytes stores it, and its values: a table, a block's scale, one by one."""
    rng = np.random.default_rng(len(kind) + shape[1] + nested)
    count = shape[0] * shape[1]
    codes = rng.integers(0, 16, count)
    padded = [*codes, 0]
    blocks = -(-count // block)
    stored: dict[str, Array] = {
        ".weight.quant_map": np.array(TABLES[kind], np.float32),
        ".weight": np.array(
            [(padded[at] << 4) | padded[at + 1] for at in range(0, count, 2)], np.uint8
        )[:, None],
    }
    state: dict[str, float] = {}
    if nested:
        table = rng.normal(0, 1, 256).astype(np.float32)
        coded = rng.integers(0, 256, blocks, dtype=np.uint8)
        inner = rng.lognormal(0, 1, -(-blocks // 4)).astype(np.float32)
        state = {"nested_blocksize": 4, "nested_offset": 0.0625123, "nested_dtype": 0}
        scales = [
            np.float32(table[code] * inner[at // 4]) + np.float32(0.0625123)
            for at, code in enumerate(coded)
        ]
        stored |= {".weight.absmax": coded, ".weight.nested_absmax": inner,
                   ".weight.nested_quant_map": table}  # fmt: skip
    else:
        scales = list(rng.lognormal(-2, 1, blocks).astype(np.float32))
        stored[".weight.absmax"] = np.array(scales)
    said = bitsandbytes_state(shape, block, **state)
    stored[f".weight.quant_state.bitsandbytes__{kind}"] = said
    values = np.empty(shape, np.float32)
    for at, code in enumerate(codes):
        values[at // shape[1], at % shape[1]] = np.float32(TABLES[kind][code]) * scales[at // block]
    return stored, values


def opened(tensors: Mapping[str, Array]) -> tuple[Checkpoint, Weight]:
    checkpoint, _ = memory_checkpoint({f"w{end}": stored for end, stored in tensors.items()})
    (weight,) = checkpoint.reader.settle([only_weight(checkpoint)])
    return checkpoint, weight


def check(tensors: Mapping[str, Array], values: Float32) -> Weight:
    """Every row range, and the scale at each value."""
    checkpoint, weight = opened(tensors)
    assert weight.shape == values.shape
    for start, stop in ((0, len(values)), (1, len(values)), (1, 2)):
        decoded = checkpoint.reader.read_values(weight, start, stop)
        np.testing.assert_array_equal(decoded, values[start:stop])
        parts = [piece.values for piece in checkpoint.reader.iterate_rows(weight, start, stop)]
        np.testing.assert_array_equal(np.concatenate(parts), values[start:stop])
    rows = [0, len(values) - 1]
    scales = checkpoint.reader.read_scale_rows(weight, rows)
    unscaled = checkpoint.reader.read_unscaled(weight, 0, len(values))[rows]
    np.testing.assert_array_equal(unscaled * scales, values[rows])
    return weight


@pytest.mark.parametrize("nested", [False, True], ids=["numbers", "nested"])
@pytest.mark.parametrize(("shape", "block"), SHAPES, ids=str)
@pytest.mark.parametrize("kind", TABLES)
def test_four_bits(
    kind: str, shape: tuple[int, int], block: int, *, nested: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inspector.layout.bitsandbytes._NESTED_BLOCK", 4)
    monkeypatch.setattr("inspector.checkpoint.cutting.CHUNK_BYTES", shape[1])  # two rows
    weight = check(*drawn(kind, shape, block, nested=nested))
    assert weight.scale is not None
    assert (weight.scheme, weight.scale.block) == (f"bitsandbytes {kind.upper()}", (1, block))


@pytest.mark.parametrize("columns", [128, 33])
@pytest.mark.parametrize("dtype", [np.int8, np.float16, ml_dtypes.bfloat16, np.float32])
def test_four_bits_in_the_dtype_that_a_trainer_shards(dtype: type, columns: int) -> None:
    """`bnb_4bit_quant_storage`: the same bytes under another dtype's name."""
    tensors, values = drawn("nf4", (16, columns), 64, nested=False)
    tensors[".weight"] = tensors[".weight"].reshape(-1).view(dtype)[:, None]
    check(tensors, values)


def test_llm_int8_has_a_127th_of_the_largest_of_each_row_for_a_scale() -> None:
    rng = np.random.default_rng(3)
    codes = random_codes(rng, Dtype.I8, (8, 24))
    largest = rng.lognormal(0, 1, 8).astype(np.float32)
    values = np.empty((8, 24), np.float32)
    for row, column in np.ndindex(8, 24):
        values[row, column] = np.float32(codes[row, column]) * (largest[row] / np.float32(127))
    tensors = {".weight": codes, ".SCB": largest}
    weight = check(tensors, values)
    assert weight.scheme == "bitsandbytes LLM.int8"
    check({**tensors, ".weight_format": np.zeros((), np.uint8)}, values)
    with pytest.raises(LayoutError, match="weight_format is 2: its codes are in the order of a k"):
        opened({**tensors, ".weight_format": np.full((), 2, np.uint8)})


STATE = ".weight.quant_state.bitsandbytes__nf4"
REFUSED: dict[str, tuple[dict[str, Array], str]] = {
    "other shape": ({STATE: bitsandbytes_state((16, 64))}, r"says \[16, 64\] in blocks of 64"),
    "other block": ({STATE: bitsandbytes_state((16, 128), 128)}, "in blocks of 128; there are"),
    "three axes": ({STATE: bitsandbytes_state((2, 8, 128))}, "no state of a matrix"),  # type: ignore[arg-type]
    "nothing": ({STATE: bitsandbytes_state((0, 128))}, "sizes should be positive"),
    "no JSON": ({STATE: np.zeros(4, np.uint8)}, "no state of a matrix of bitsandbytes"),
    "nested by state alone": (
        {STATE: bitsandbytes_state((16, 128), nested_blocksize=256)}, "of nested scales",
    ),
    "scales": ({".weight.absmax": np.ones(31, np.float32)}, r"do not make the \[31\] scales"),
    "codes for scales": ({".weight.absmax": np.ones(32, np.uint8)}, "are codes, .* missing"),
    "nested scales": (
        {".weight.absmax": np.ones(32, np.uint8), ".weight.nested_absmax": np.ones(2, np.float32),
         ".weight.nested_quant_map": np.ones(256, np.float32)},
        r"need \[1\] scales of their own",
    ),
}  # fmt: skip


@pytest.mark.parametrize("why", REFUSED)
def test_what_does_not_fit_is_refused(why: str) -> None:
    changed, says = REFUSED[why]
    tensors, _ = drawn("nf4", (16, 128), 64, nested=False)
    with pytest.raises(LayoutError, match=says):
        opened(tensors | changed)


has_bitsandbytes = pytest.mark.skipif(
    importlib.util.find_spec("bitsandbytes") is None, reason="bitsandbytes is not installed"
)


@has_bitsandbytes
@pytest.mark.parametrize("shape", [(32, 100), (32, 101), (33, 101), (5, 3)], ids=str)
@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("kind", TABLES)
def test_four_bits_are_decoded_as_by_bitsandbytes(
    kind: str, shape: tuple[int, int], *, nested: bool
) -> None:
    torch = pytest.importorskip("torch")
    functional = importlib.import_module("bitsandbytes.functional")
    values = torch.randn(*shape, generator=torch.Generator().manual_seed(1))
    packed, state = functional.quantize_4bit(values, compress_statistics=nested, quant_type=kind)
    beside = {f".weight.{name}": one.numpy() for name, one in state.as_dict(packed=True).items()}
    expected = functional.dequantize_4bit(packed, state)
    check({".weight": packed.numpy(), **beside}, expected.float().numpy())


@has_bitsandbytes
def test_llm_int8_is_decoded_as_by_bitsandbytes_but_for_the_order_of_rounding() -> None:
    """`int8_vectorwise_dequant` is `(q * SCB) * (1 / 127)`: three roundings, the reciprocal's one.

    Here it is `q * (SCB / 127)`, as `Embedding8bit` has it, of two. Each is of half a unit in the
    last place, 2^-24 of the value at most.
    """
    torch = pytest.importorskip("torch")
    functional = importlib.import_module("bitsandbytes.functional")
    values = torch.randn(64, 1000, generator=torch.Generator().manual_seed(2), dtype=torch.float16)
    codes, largest, _ = functional.int8_vectorwise_quant(values)
    expected = functional.int8_vectorwise_dequant(codes, largest).numpy().astype(np.float64)
    checkpoint, weight = opened({".weight": codes.numpy(), ".SCB": largest.numpy()})
    found = checkpoint.reader.read_values(weight, 0, 64).astype(np.float64)
    off = np.abs(found - expected)
    assert (off <= 5.001 * 2.0**-24 * np.abs(expected)).all()
    assert (off > 0).any()
    by_rows = codes.numpy().astype(np.float32) * (largest.numpy()[:, None] / np.float32(127))
    np.testing.assert_array_equal(found, by_rows.astype(np.float64))
