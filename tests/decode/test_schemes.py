"""Every scheme, scale dtype, granularity, ragged shape and orientation, from bytes to values."""

from collections.abc import Mapping

import ml_dtypes
import numpy as np
import pytest

from inspector.checkpoint import Checkpoint, ReadPolicy
from inspector.decode.numeric import NUMPY_DTYPES
from inspector.errors import LayoutError
from inspector.format.dtypes import Dtype
from inspector.layout.experts import ExpertKey
from inspector.layout.families import Projection
from inspector.layout.scales import Granularity
from inspector.source.base import Ledger, MemorySource
from tests.decode.quantized import (
    BLOCK,
    E2M1,
    EXPONENTS,
    Float64,
    Quantized,
    block_of,
    check,
    decoded_like,
    draw_scale,
    only_weight,
    pack,
    rounded,
    spread,
    tiles,
)
from tests.hostile.build import SINGLE
from tests.strategies_arrays import (
    FP8,
    Array,
    Float32,
    float32,
    fp8_config,
    memory_checkpoint,
    random_codes,
    shard_of,
)

SCALES = (Dtype.F32, Dtype.BF16, Dtype.F16, *EXPONENTS)
SHAPES = ((8, 16), (9, 21), (3, 40))
FLOATS = (Dtype.F32, Dtype.BF16)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("granularity", ["tensor", "channel", "group", "block"])
@pytest.mark.parametrize("scale_dtype", SCALES, ids=str)
@pytest.mark.parametrize("dtype", FP8, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_fp8_with_scales_of_any_dtype_over_anything(
    dtype: Dtype, scale_dtype: Dtype, granularity: str, shape: tuple[int, int]
) -> None:
    rng = np.random.default_rng(1)
    block = block_of(granularity, shape)
    codes = random_codes(rng, dtype, shape)
    stored, numbers = draw_scale(rng, scale_dtype, tiles(shape, block))
    exact = codes.astype(np.float64) * spread(numbers, block, shape)
    tensors = {".weight": codes, ".weight_scale_inv": stored}
    declared = block if granularity in ("group", "block") else None
    weight = check(Quantized(tensors, rounded(exact), fp8_config(declared)))
    assert weight.scale is not None
    assert weight.scale.granularity == granularity
    assert weight.scheme == "fp8"


PROJECTIONS = {
    "gate_up_proj": (Projection.GATE, Projection.UP),
    "down_proj": (Projection.DOWN,),
}
HIDDEN, SIZE = 21, 8


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("granularity", ["tensor", "channel", "group", "block"])
@pytest.mark.parametrize("scale_dtype", [Dtype.F32, Dtype.BF16, Dtype.F8_E8M0, Dtype.U8], ids=str)
@pytest.mark.parametrize("transposed", [False, True], ids=["out_in", "in_out"])
@pytest.mark.parametrize("module", ["mlp", "feed_forward"])
def test_fused_experts_in_both_axis_orders(
    module: str, scale_dtype: Dtype, granularity: str, *, transposed: bool
) -> None:
    rng = np.random.default_rng(2)
    tensors: dict[str, Array] = {}
    expected: dict[tuple[int, Projection], Float32] = {}
    for name, projections in PROJECTIONS.items():
        rows, columns = (2 * SIZE, HIDDEN) if len(projections) == 2 else (HIDDEN, SIZE)
        block = block_of(granularity, (rows, columns))
        codes = random_codes(rng, Dtype.F8_E4M3, (3, rows, columns))
        stored, numbers = draw_scale(rng, scale_dtype, (3, *tiles((rows, columns), block)))
        for expert in range(3):
            wide = spread(numbers[expert], block, (rows, columns))
            exact = rounded(codes[expert].astype(np.float64) * wide)
            for part, projection in enumerate(projections):
                own = exact[part * SIZE : (part + 1) * SIZE] if len(projections) == 2 else exact
                expected[expert, projection] = own
        path = f"model.layers.0.{module}.experts.{name}"
        flip = (0, 2, 1) if transposed else (0, 1, 2)
        tensors[path] = np.ascontiguousarray(codes.transpose(flip))
        tensors[f"{path}_scale_inv"] = np.ascontiguousarray(stored.transpose(flip))
    config = fp8_config(block if granularity in ("group", "block") else None, hidden_size=HIDDEN)
    checkpoint, _ = memory_checkpoint(tensors, config=config)
    for (expert, projection), values in expected.items():
        decoded_like(
            checkpoint, checkpoint.weights.expert(ExpertKey(0, expert, projection)), values
        )


def packed_as_modelopt(
    rng: np.random.Generator, shape: tuple[int, int, int], group: int
) -> tuple[Array, tuple[int, int, int], Float64]:
    """Codes of FP4 `[E, out, in]`, packed in pairs along the inputs, and turned."""
    codes, values = fp4(rng, shape)
    packed = (codes[:, :, 0::2] | (codes[:, :, 1::2] << 4)).transpose(0, 2, 1)
    grid = (shape[0], shape[1], -(-shape[2] // group))
    return np.ascontiguousarray(packed), grid, values


@pytest.mark.parametrize("scheme", ["nvfp4", "mxfp4"])
def test_fused_experts_as_modelopt_packs_them_along_their_inputs(scheme: str) -> None:
    """nvidia/Llama-4-Scout-17B-16E-Instruct-NVFP4: `[E, in / 2, out]` and scales `[E, in/16, out]`.

    sglang#35032 has its shapes and names.
    """
    rng = np.random.default_rng(9)
    hidden, size, group = 96, 32, 16 if scheme == "nvfp4" else 32
    tensors: dict[str, Array] = {}
    expected: dict[tuple[int, Projection], Float32] = {}
    for name, projections in PROJECTIONS.items():
        rows, columns = (2 * size, hidden) if len(projections) == 2 else (hidden, size)
        packed, grid, values = packed_as_modelopt(rng, (3, rows, columns), group)
        if scheme == "nvfp4":
            scales = random_codes(rng, Dtype.F8_E4M3, grid)
            numbers = 0.25 * scales.astype(np.float64)
        else:
            scales, numbers = draw_scale(rng, Dtype.U8, grid)
        for expert in range(3):
            wide = spread(numbers[expert], (1, group), (rows, columns))
            exact = rounded(values[expert] * wide)
            for part, projection in enumerate(projections):
                own = exact[part * size : (part + 1) * size] if len(projections) == 2 else exact
                expected[expert, projection] = own
        path = f"model.layers.0.feed_forward.experts.{name}"
        tensors[path] = packed
        tensors[f"{path}_weight_scale"] = np.ascontiguousarray(scales.transpose(0, 2, 1))
        if scheme == "nvfp4":
            tensors[f"{path}_weight_scale_2"] = np.array(0.25, np.float32)
            tensors[f"{path}_input_scale"] = np.array(1, np.float32)
    checkpoint, _ = memory_checkpoint(tensors, config={"hidden_size": hidden})
    for (expert, projection), own in expected.items():
        weight = checkpoint.weights.expert(ExpertKey(0, expert, projection))
        assert weight.scheme == scheme
        assert weight.turned() is None  # a byte of a stored row holds codes of two columns
        decoded_like(checkpoint, weight, own)
    assert not len(checkpoint.weights.in_store.pairing.orphans())


def test_fused_experts_of_fp8_as_modelopt_names_their_one_scale() -> None:
    rng = np.random.default_rng(10)
    codes = random_codes(rng, Dtype.F8_E4M3, (2, 32, 48))
    path = "model.layers.0.feed_forward.experts.gate_up_proj"
    scale = np.array(0.3, np.float32)
    tensors = {path: codes, f"{path}_weight_scale": scale, f"{path}_input_scale": scale}
    checkpoint, _ = memory_checkpoint(tensors, config={"hidden_size": 32})
    exact = rounded(codes.astype(np.float64) * float(scale)).transpose(0, 2, 1)
    for projection, own in ((Projection.GATE, slice(24)), (Projection.UP, slice(24, 48))):
        weight = checkpoint.weights.expert(ExpertKey(0, 1, projection))
        decoded_like(checkpoint, weight, exact[1, own])


@pytest.mark.parametrize("second", [None, 0.3])
def test_nvfp4_as_torchao_stores_it(second: float | None) -> None:
    """`NVFP4Tensor` of torchao 0.18 `prototype/safetensors`, its scales in their own order."""
    rng = np.random.default_rng(11)
    codes, values = fp4(rng, (6, 64))
    scales = random_codes(rng, Dtype.F8_E4M3, (6, 4))
    exact = values * spread(scales.astype(np.float64), (1, 16), (6, 64))
    tensors: dict[str, Array] = {"._weight_qdata": pack(codes, 4, 8), "._weight_scale": scales}
    if second is not None:
        tensors["._weight_per_tensor_scale"] = np.array(second, np.float32)
        exact *= float(np.float32(second))
    weight = check(Quantized(tensors, rounded(exact)))
    assert weight.scheme == "nvfp4"


def test_integers_of_torchao_in_the_groups_that_its_config_states() -> None:
    """`IntxUnpackedToInt8Tensor`; `PerGroup` stands where transformers writes the config."""
    rng = np.random.default_rng(12)
    codes, zeros = (rng.integers(-8, 8, shape, dtype=np.int8) for shape in ((6, 64), (6, 2)))
    stored, numbers = draw_scale(rng, Dtype.BF16, (6, 2))
    zero = spread(zeros.astype(np.float64), (1, 32), (6, 64))
    exact = (codes - zero) * spread(numbers, (1, 32), (6, 64))
    granularity = {"_type": "PerGroup", "_data": {"group_size": 32, "axis": -1}}
    kind = {"default": {"_type": "IntxWeightOnlyConfig", "_data": {"granularity": granularity}}}
    tensors = {"._weight_qdata": codes, "._weight_scale": stored, "._weight_zero_point": zeros}
    config = {"quantization_config": {"quant_method": "torchao", "quant_type": kind}}
    weight = check(Quantized(tensors, rounded(exact), config))
    assert weight.scale is not None
    assert weight.scale.block == (1, 32)


def fp4(rng: np.random.Generator, shape: tuple[int, ...]) -> tuple[Array, Float64]:
    """Codes of E2M1, one a byte, and their values."""
    codes = rng.integers(0, 16, shape, dtype=np.uint8)
    return codes, E2M1[codes]


MX_SHAPES = ((4, 32), (5, 96), (3, 72))


@pytest.mark.parametrize("stored_as", [Dtype.I8, Dtype.U8], ids=str)
@pytest.mark.parametrize("scale_dtype", [Dtype.F8_E8M0, Dtype.U8], ids=str)
@pytest.mark.parametrize("ending", [".scale", ".weight_scale"])
@pytest.mark.parametrize("shape", MX_SHAPES, ids=str)
def test_mxfp4_as_deepseek_v4_and_modelopt_store_it(
    stored_as: Dtype, scale_dtype: Dtype, ending: str, shape: tuple[int, int]
) -> None:
    """DeepSeek-V4 declares 128x128, which its dense layers have; its experts are by 1x32."""
    rng = np.random.default_rng(3)
    codes, values = fp4(rng, shape)
    stored, numbers = draw_scale(rng, scale_dtype, tiles(shape, (1, 32)))
    packed = pack(codes, 4, 8).view(NUMPY_DTYPES[stored_as])
    exact = values * spread(numbers, (1, 32), shape)
    case = Quantized({".weight": packed, ending: stored}, rounded(exact), fp8_config((128, 128)))
    weight = check(case)
    assert weight.scale is not None
    assert (weight.scale.block, weight.scale.granularity) == ((1, 32), Granularity.GROUP)


@pytest.mark.parametrize("shape", MX_SHAPES, ids=str)
@pytest.mark.parametrize(("bits", "number"), [(4, "float4_e2m1fn"), (6, "float6_e2m3fn")])
def test_mxfp4_and_mxfp6_as_compressed_tensors_packs_them(
    bits: int, number: str, shape: tuple[int, int]
) -> None:
    rng = np.random.default_rng(4)
    codes = rng.integers(0, 1 << bits, shape, dtype=np.uint8)
    stored, numbers = draw_scale(rng, Dtype.U8, tiles(shape, (1, 32)))
    exact = codes.view(number).astype(np.float64) * spread(numbers, (1, 32), shape)
    check(Quantized({".weight_packed": pack(codes, bits, 8), ".weight_scale": stored},
                    rounded(exact)))  # fmt: skip


def test_gpt_oss_experts_take_turns_in_blocks_of_32() -> None:
    rng = np.random.default_rng(5)
    tensors: dict[str, Array] = {}
    both: dict[str, Float32] = {}
    for name, rows, columns in (("gate_up_proj", 12, 64), ("down_proj", 64, 64)):
        codes, values = fp4(rng, (3, rows, columns))
        stored, numbers = draw_scale(rng, Dtype.U8, (3, rows, columns // 32))
        exact = [values[e] * spread(numbers[e], (1, 32), (rows, columns)) for e in range(3)]
        path = f"model.layers.0.mlp.experts.{name}"
        packed = np.stack([pack(one, 4, 8) for one in codes])
        tensors[f"{path}_blocks"] = packed.reshape(3, rows, columns // 32, 16)
        tensors[f"{path}_scales"] = stored
        tensors[f"{path}_bias"] = rng.standard_normal((3, rows)).astype(np.float32)
        both[name] = rounded(np.stack(exact))
    checkpoint, _ = memory_checkpoint(tensors, config={"hidden_size": 64})
    for expert in range(3):
        for projection, expected in (
            (Projection.GATE, both["gate_up_proj"][expert, 0::2]),
            (Projection.UP, both["gate_up_proj"][expert, 1::2]),
            (Projection.DOWN, both["down_proj"][expert]),
        ):
            weight = checkpoint.weights.expert(ExpertKey(0, expert, projection))
            assert weight.name == f"model.layers.0.mlp.experts.{expert}.{projection}.weight"
            decoded_like(checkpoint, weight, expected)
        biases = tensors["model.layers.0.mlp.experts.gate_up_proj_bias"][expert]
        down = tensors["model.layers.0.mlp.experts.down_proj_bias"][expert]
        for projection, expected in (
            (Projection.GATE, biases[0::2]), (Projection.UP, biases[1::2]), (Projection.DOWN, down),
        ):  # fmt: skip
            weight = checkpoint.weights.expert(ExpertKey(0, expert, projection, is_bias=True))
            assert weight.name == f"model.layers.0.mlp.experts.{expert}.{projection}.bias"
            decoded_like(checkpoint, weight, expected)
    names = checkpoint.weights.fused_names()
    assert len(names) == 3 * 3 * 2
    every = list(checkpoint.weights.fused_weights(np.arange(len(names))))
    assert [weight.name for weight in every] == names.texts(names.natural_order())


@pytest.mark.parametrize("shape", [(4, 32), (5, 48), (3, 40)], ids=str)
@pytest.mark.parametrize("producer", ["compressed-tensors", "modelopt"])
def test_nvfp4_divides_or_multiplies_by_its_global_scale(
    producer: str, shape: tuple[int, int]
) -> None:
    rng = np.random.default_rng(6)
    codes, values = fp4(rng, shape)
    scale = random_codes(rng, Dtype.F8_E4M3, tiles(shape, (1, 16)))
    exact = values * spread(scale.astype(np.float64), (1, 16), shape)
    packed, second = pack(codes, 4, 8), float32(rng.lognormal())
    if producer == "modelopt":
        tensors = {".weight": packed, ".weight_scale_2": second.reshape(())}
        exact = exact * np.float64(second)
    else:
        tensors = {".weight_packed": packed, ".weight_global_scale": second.reshape(1)}
        exact = exact / np.float64(second)
    case = Quantized(tensors | {".weight_scale": scale}, rounded(exact))
    weight = check(case)
    assert weight.scale is not None
    assert weight.scale.tensor.name.endswith(".weight_scale")


def integer_config(bits: int, group: int | None) -> Mapping[str, object]:
    """A compressed-tensors config."""
    weights = {"num_bits": bits, "type": "int", "group_size": group, "strategy": "group"}
    return {"quantization_config": {"config_groups": {"group_0": {"weights": weights}}}}


@pytest.mark.parametrize("asymmetric", [False, True], ids=["symmetric", "asymmetric"])
@pytest.mark.parametrize("granularity", ["channel", "group"])
@pytest.mark.parametrize("scale_dtype", FLOATS, ids=str)
@pytest.mark.parametrize("shape", [(8, 32), (35, 48), (5, 27)], ids=str)
@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_packed_integers_with_zero_points_and_a_shape(
    bits: int, shape: tuple[int, int], scale_dtype: Dtype, granularity: str, *, asymmetric: bool
) -> None:
    rng = np.random.default_rng(7)
    block = (1, 16) if granularity == "group" else (1, shape[1])
    grid = tiles(shape, block)
    codes = rng.integers(0, 1 << bits, shape, dtype=np.uint8)
    stored, numbers = draw_scale(rng, scale_dtype, grid)
    tensors = {".weight_packed": pack(codes, bits, 32), ".weight_scale": stored,
               ".weight_shape": np.array(shape, np.int32)}  # fmt: skip
    zero = np.full(grid, 1 << (bits - 1))
    if asymmetric:
        zero = rng.integers(0, 1 << bits, grid)
        tensors[".weight_zero_point"] = np.ascontiguousarray(pack(zero.T, bits, 32).T)
    exact = (codes - spread(zero, block, shape)) * spread(numbers, block, shape)
    config = integer_config(bits, block[1] if granularity == "group" else None)
    check(Quantized(tensors, rounded(exact), config))


@pytest.mark.parametrize("granularity", ["tensor", "channel", "group"])
@pytest.mark.parametrize("scale_dtype", FLOATS, ids=str)
@pytest.mark.parametrize(
    ("ending", "dtype"),
    [
        (".weight_offset", Dtype.F32),
        (".weight_offset", Dtype.BF16),
        (".weight_zero_point", Dtype.I8),
    ],
    ids=["offset F32", "offset BF16", "zero point"],
)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_int8_takes_its_offset_off_before_it_multiplies(
    shape: tuple[int, int], ending: str, dtype: Dtype, scale_dtype: Dtype, granularity: str
) -> None:
    rng = np.random.default_rng(8)
    block = block_of(granularity, shape)
    codes = rng.integers(-128, 128, shape, dtype=np.int8)
    stored, numbers = draw_scale(rng, scale_dtype, tiles(shape, block))
    offset = np.asarray(rng.normal(0, 20, tiles(shape, block))).astype(NUMPY_DTYPES[dtype])
    wide = spread(offset.astype(np.float64), block, shape)
    exact = (codes - wide) * spread(numbers, block, shape)
    tensors = {".weight": codes, ".weight_scale": stored, ending: offset}
    check(Quantized(tensors, rounded(exact), fp8_config(block if granularity == "group" else None)))


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("shape", [(4, 64), (5, 72)], ids=str)
@pytest.mark.parametrize("declared", [None, (1, 32), (128, 128)], ids=str)
def test_mxfp8_has_the_groups_of_its_specification(
    shape: tuple[int, int], declared: tuple[int, int] | None
) -> None:
    rng = np.random.default_rng(9)
    codes = random_codes(rng, Dtype.F8_E4M3, shape)
    stored, numbers = draw_scale(rng, Dtype.U8, tiles(shape, (1, 32)))
    exact = codes.astype(np.float64) * spread(numbers, (1, 32), shape)
    tensors = {".weight": codes, ".weight_scale": stored}
    weight = check(Quantized(tensors, rounded(exact), fp8_config(declared)))
    assert weight.scale is not None
    assert (weight.scale.block, weight.scheme) == ((1, 32), "mxfp8")


REFUSED: Mapping[str, tuple[dict[str, Array], Mapping[str, object] | None, str]] = {
    "a grid of no fitting size": (
        {".weight": np.zeros((8, 16), ml_dtypes.float8_e4m3fn),
         ".weight_scale_inv": np.ones((3, 2), np.float32)},
        fp8_config(BLOCK), r"\[8, 16\] in \[4, 8\] blocks needs scales \[2, 2\], .* has \[3, 2\]",
    ),
    "MXFP4 whose grid is that of INT8": (
        {".weight": np.zeros((4, 32), np.int8), ".scale": np.ones((4, 1), np.uint8)},
        None, r"\[4, 64\] in \[1, 32\] blocks needs scales \[4, 2\], .* has \[4, 1\]",
    ),
    "bytes with a float scale": (
        {".weight": np.zeros((4, 32), np.uint8), ".weight_scale": np.ones((4, 1), np.float32)},
        None, r"no known scheme has U8 codes \(plain\) \[4, 32\] and F32 scales \[4, 1\]",
    ),
    "integers of unknown width": (
        {".weight_packed": np.zeros((4, 4), np.int32), ".weight_scale": np.ones((4, 1), np.float32),
         ".weight_shape": np.array([4, 32])},
        None, "cannot be told; of num_bits, none is declared",
    ),
    "codes without a scale": (
        {".weight_packed": np.zeros((4, 4), np.uint8)}, None, "U8 codes without a scale",
    ),
    "two declared sizes that fit": (
        {".weight": np.zeros((4, 16), np.int8), ".weight_scale": np.ones((4, 2), np.float32)},
        {"quantization_config": {"config_groups": {
            "a": {"weights": {"group_size": 8}}, "b": {"weights": {"group_size": 10}}}}},
        r"fits blocks of \[1, 8\] and \[1, 10\], which are all declared",
    ),
}  # fmt: skip


@pytest.mark.parametrize("why", REFUSED)
def test_what_cannot_be_told_is_refused_and_not_decoded(why: str) -> None:
    tensors, config, message = REFUSED[why]
    checkpoint, _ = memory_checkpoint(
        {f"q_proj{end}": stored for end, stored in tensors.items()}, config=config
    )
    with pytest.raises(LayoutError, match=message):
        only_weight(checkpoint)


def test_a_shape_that_the_words_do_not_hold_is_refused() -> None:
    tensors = {"q.weight_packed": np.zeros((4, 4), np.int32), "q.weight_shape": np.array([4, 33]),
               "q.weight_scale": np.ones((4, 1), np.float32)}  # fmt: skip
    checkpoint, _ = memory_checkpoint(tensors, config=integer_config(4, None))
    weight = only_weight(checkpoint)
    with pytest.raises(LayoutError, match=r"its shape is in q\.weight_shape, unread"):
        checkpoint.reader.read_values(weight, 0, 4)
    with pytest.raises(LayoutError, match=r"stored shape \[4, 33\] does not fit .* \[4, 32\]"):
        checkpoint.reader.settle([weight])


def test_weights_of_several_groups_of_a_config_have_each_their_own() -> None:
    """One config, two widths: the grid of each weight says which it is."""
    rng = np.random.default_rng(10)
    weights = [{"num_bits": 4, "group_size": 32}, {"num_bits": 8, "group_size": 64}]
    groups = {str(at): {"weights": one} for at, one in enumerate(weights)}
    tensors: dict[str, Array] = {}
    expected = {}
    for name, bits, group in (("a", 4, 32), ("b", 8, 64)):
        codes = rng.integers(0, 1 << bits, (4, 128), dtype=np.uint8)
        stored, numbers = draw_scale(rng, Dtype.F32, tiles((4, 128), (1, group)))
        tensors |= {f"{name}.weight_packed": pack(codes, bits, 32), f"{name}.weight_scale": stored,
                    f"{name}.weight_shape": np.array([4, 128])}  # fmt: skip
        centred = codes.astype(np.float64) - (1 << (bits - 1))
        expected[f"{name}.weight"] = rounded(centred * spread(numbers, (1, group), (4, 128)))
    config = {"quantization_config": {"config_groups": groups}}
    checkpoint, _ = memory_checkpoint(tensors, config=config)
    weights_found = list(checkpoint.weights.stored_weights(checkpoint.catalog.all_rows))
    assert {weight.name for weight in weights_found} == set(expected)
    for weight in weights_found:
        decoded_like(checkpoint, weight, expected[weight.name])


def test_a_tensor_of_four_bit_elements_is_shaped_in_codes() -> None:
    """safetensors counts the elements of F4, two to a byte; numpy has no such dtype."""
    rng = np.random.default_rng(12)
    codes, values = fp4(rng, (4, 32))
    scale = random_codes(rng, Dtype.F8_E4M3, (4, 2))
    second = float32(0.37).reshape(())
    tensors = {"q.weight": pack(codes, 4, 8), "q.weight_scale": scale, "q.weight_scale_2": second}
    file = shard_of(tensors).replace(b'"U8"', b'"F4"').replace(b"[4, 16]", b"[4, 32]")
    checkpoint = Checkpoint(MemorySource({SINGLE: file}), Ledger(), ReadPolicy())
    exact = values * spread(scale.astype(np.float64), (1, 16), (4, 32)) * np.float64(second)
    decoded_like(checkpoint, only_weight(checkpoint), rounded(exact))


def test_rows_of_packed_codes_cost_their_bytes_and_those_of_their_scales() -> None:
    rng = np.random.default_rng(11)
    codes, _ = fp4(rng, (40, 64))
    tensors = {"q.weight": pack(codes, 4, 8).view(np.int8), "q.scale": np.ones((40, 2), np.uint8)}
    checkpoint, source = memory_checkpoint(tensors)
    weight = only_weight(checkpoint)
    source.reads.clear()
    checkpoint.reader.read_values(weight, 7, 10)
    assert sorted(len(span) for _, span in source.reads) == [3 * 2, 3 * 32]
