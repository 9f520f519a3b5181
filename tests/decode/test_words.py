"""Integers in words of three more producers: GPTQ, AWQ and MLX, packed and decoded by loops."""

import math
from collections.abc import Mapping
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from inspector.checkpoint import cutting
from inspector.decode.numeric import NUMPY_DTYPES
from inspector.errors import LayoutError
from inspector.format.dtypes import Dtype
from inspector.layout.experts import ExpertKey
from inspector.layout.families import Projection
from tests.decode.quantized import (
    E2M1,
    Float64,
    Quantized,
    check,
    decoded_like,
    draw_scale,
    only_weight,
    pack,
    rounded,
    spread,
    tiles,
)
from tests.strategies_arrays import Array, float32, memory_checkpoint, random_codes

SHAPES = ((32, 64), (64, 96))
"""`[out, in]`: GPTQ packs 32 of either to whole words."""


def gptq_config(**stated: Any) -> Mapping[str, object]:
    claim = {"quant_method": "gptq", "bits": 4, "group_size": 32, **stated}
    return {"quantization_config": claim}


def integers(
    rng: np.random.Generator, shape: tuple[int, int], bits: int, group: int, *, most: int
) -> tuple[Array, Array, Array, Float64]:
    """Codes, and by group of columns zero points (at most `most`), scales as stored, and values."""
    grid = tiles(shape, (1, group))
    codes = rng.integers(0, 1 << bits, shape, dtype=np.uint8)
    zeros = rng.integers(1, most + 1, grid, dtype=np.int64)
    stored, scales = draw_scale(rng, Dtype.F16, grid)
    return codes, zeros, stored, scales


def stored_by_gptq(codes: Array, zeros: Array, scales: Array, bits: int) -> dict[str, Array]:
    """AutoGPTQ's `pack`: codes down the columns of `[in, out]`, zero points along its rows."""
    return {
        ".qweight": np.ascontiguousarray(pack(codes, bits, 32).T),
        ".qzeros": pack(np.ascontiguousarray(zeros.T), bits, 32),
        ".scales": np.ascontiguousarray(scales.T),
    }


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("bits", [2, 3, 4, 8])
@pytest.mark.parametrize("form", ["gptq", "gptq_v2"])
@pytest.mark.parametrize("index", [None, "in order", "by activation"])
def test_gptq(index: str | None, form: str, bits: int, shape: tuple[int, int]) -> None:
    """The first format stores zero points less one; any scale of a column is that of its group."""
    rng = np.random.default_rng(1)
    most = (1 << bits) - (form == "gptq_v2")
    codes, zeros, stored, scales = integers(rng, shape, bits, 32, most=most)
    groups = np.arange(shape[1]) // 32
    if index == "by activation":
        groups = rng.permutation(groups)
    exact = (codes - zeros[:, groups]) * scales[:, groups]
    kept = zeros - 1 if form == "gptq" else zeros
    tensors = stored_by_gptq(codes, kept, stored, bits)
    if index is not None:
        tensors[".g_idx"] = groups.astype(np.int32)
    config = gptq_config(bits=bits, checkpoint_format=form)
    weight = check(Quantized(tensors, rounded(exact), config))
    assert weight.scale is not None
    assert (weight.scheme, weight.scale.block) == ("GPTQ", (1, 32))


def test_gptq_of_one_group_for_each_row() -> None:
    rng = np.random.default_rng(2)
    codes, zeros, stored, scales = integers(rng, (32, 64), 4, 64, most=16)
    tensors = stored_by_gptq(codes, zeros - 1, stored, 4) | {".g_idx": np.zeros(64, np.int32)}
    exact = (codes - zeros) * scales
    weight = check(Quantized(tensors, rounded(exact), gptq_config(group_size=-1)))
    assert weight.scale is not None
    assert weight.scale.granularity == "channel"


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (None, "no config says which"),
        (gptq_config(quant_method="auto-round"), "auto-round does not say which"),
        (gptq_config(checkpoint_format="marlin"), "gptq does not say which"),
        (gptq_config(checkpoint_format=1), "gptq does not say which"),
    ],
)
def test_zero_points_of_gptq_are_not_guessed(
    config: Mapping[str, object] | None, says: str
) -> None:
    rng = np.random.default_rng(3)
    codes, zeros, stored, _ = integers(rng, (32, 64), 4, 32, most=15)
    tensors = stored_by_gptq(codes, zeros, stored, 4)
    checkpoint, _ = memory_checkpoint(
        {f"q{end}": one for end, one in tensors.items()}, config=config
    )
    with pytest.raises(LayoutError, match=rf"q\.weight: GPTQ stores zero points .*{says}"):
        only_weight(checkpoint)


AWQ_PLACES = [0, 4, 1, 5, 2, 6, 3, 7]
"""Of the eight outputs of a word, at which place from the lowest bits each is."""


def pack_awq(numbers: Array) -> Array:
    """`[rows, outputs]` in words of eight outputs, one at a time."""
    rows, outputs = numbers.shape
    words = np.zeros((rows, outputs // 8), dtype=np.uint32)
    for row, output in np.ndindex(rows, outputs):
        place = AWQ_PLACES[output % 8]
        words[row, output // 8] |= np.uint32(int(numbers[row, output]) << (4 * place))
    return words.view(np.int32)


def awq_config(group: int) -> Mapping[str, object]:
    claim = {"quant_method": "awq", "bits": 4, "group_size": group, "version": "gemm"}
    return {"quantization_config": claim}


@pytest.mark.parametrize("shape", [(8, 64), (24, 96), (40, 33)], ids=str)
def test_awq(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(4)
    group = 32 if shape[1] % 32 == 0 else 11
    codes, zeros, stored, scales = integers(rng, shape, 4, group, most=15)
    exact = (codes - spread(zeros, (1, group), shape)) * spread(scales, (1, group), shape)
    tensors = {".qweight": pack_awq(codes.T), ".qzeros": pack_awq(zeros.T),
               ".scales": np.ascontiguousarray(stored.T)}  # fmt: skip
    weight = check(Quantized(tensors, rounded(exact), awq_config(group)))
    assert weight.scheme == "AWQ"


def test_a_matrix_that_is_stored_across_its_rows_is_decoded_in_pieces(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is read at once; what is decoded at a time does not grow with it."""
    rng = np.random.default_rng(5)
    codes, zeros, stored, scales = integers(rng, (64, 64), 4, 32, most=15)
    exact = (codes - spread(zeros, (1, 32), (64, 64))) * spread(scales, (1, 32), (64, 64))
    tensors = {"q.qweight": pack_awq(codes.T), "q.qzeros": pack_awq(zeros.T),
               "q.scales": np.ascontiguousarray(stored.T)}  # fmt: skip
    checkpoint, _ = memory_checkpoint(tensors, config=awq_config(32))
    monkeypatch.setattr(cutting, "CHUNK_BYTES", 10 * 32)
    weight = only_weight(checkpoint)
    parts = list(checkpoint.reader.iterate_rows(weight, 3, 60))
    assert [part.first_row for part in parts] == [3, 10, 20, 30, 40, 50]
    np.testing.assert_array_equal(np.concatenate([part.values for part in parts]),
                                  rounded(exact)[3:60])  # fmt: skip


def mlx_config(bits: int, group: int, mode: str = "affine") -> Mapping[str, object]:
    own = {"group_size": 16, "bits": 7, "mode": "affine"}
    return {"quantization": {"group_size": group, "bits": bits, "mode": mode, "lm_head": own}}


@pytest.mark.parametrize("dtype", [Dtype.BF16, Dtype.F16, Dtype.F32], ids=str)
@pytest.mark.parametrize("bits", [2, 3, 4, 5, 6, 8])
def test_mlx_multiplies_and_adds(bits: int, dtype: Dtype) -> None:
    rng = np.random.default_rng(6)
    shape, group = (5, 128), 64
    codes = rng.integers(0, 1 << bits, shape, dtype=np.uint8)
    stored, scales = draw_scale(rng, dtype, tiles(shape, (1, group)))
    biases = np.asarray(rng.normal(0, 3, scales.shape)).astype(NUMPY_DTYPES[dtype])
    exact = codes * spread(scales, (1, group), shape)
    exact += spread(biases.astype(np.float64), (1, group), shape)
    tensors = {".weight": pack(codes, bits, 32).view(np.uint32), ".scales": stored,
               ".biases": biases}  # fmt: skip
    weight = check(Quantized(tensors, rounded(exact), mlx_config(bits, group)))
    assert (weight.scheme, weight.coding and weight.coding.bits) == ("MLX", bits)


@pytest.mark.parametrize("shape", [(4, 64), (3, 96)], ids=str)
@pytest.mark.parametrize("mode", ["mxfp4", "mxfp8", "nvfp4"])
def test_mlx_has_formats_of_floats_in_its_words(mode: str, shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(7)
    group = 16 if mode == "nvfp4" else 32
    grid = tiles(shape, (1, group))
    if mode == "mxfp8":
        codes = random_codes(rng, Dtype.F8_E4M3, shape)
        values, bits = codes.astype(np.float64), 8
        packed = pack(codes.view(np.uint8), bits, 32)
    else:
        codes, bits = rng.integers(0, 16, shape, dtype=np.uint8), 4
        values, packed = E2M1[codes], pack(codes, bits, 32)
    stored, scales = draw_scale(rng, Dtype.U8, grid)
    if mode == "nvfp4":
        stored = random_codes(rng, Dtype.F8_E4M3, grid).view(np.uint8)
        scales = stored.view(ml_dtypes.float8_e4m3fn).astype(np.float64)
    exact = values * spread(scales, (1, group), shape)
    tensors = {".weight": packed.view(np.uint32), ".scales": stored}
    weight = check(Quantized(tensors, rounded(exact), mlx_config(bits, group, mode)))
    assert weight.scheme == mode


def test_experts_of_mlx_lie_in_a_tensor_for_each_projection() -> None:
    rng = np.random.default_rng(8)
    module = "model.layers.0.mlp.switch_mlp"
    tensors: dict[str, Array] = {}
    expected = {}
    for projection, shape in ((Projection.GATE, (32, 64)), (Projection.UP, (32, 64)),
                              (Projection.DOWN, (64, 32))):  # fmt: skip
        codes = rng.integers(0, 16, (3, *shape), dtype=np.uint8)
        scales = rng.normal(0, 1, (3, shape[0], shape[1] // 32)).astype(np.float16)
        biases = rng.normal(0, 1, scales.shape).astype(np.float16)
        tensors |= {f"{module}.{projection}.weight": np.stack([pack(one, 4, 32) for one in codes])
                    .view(np.uint32), f"{module}.{projection}.scales": scales,
                    f"{module}.{projection}.biases": biases}  # fmt: skip
        wide = [np.repeat(one.astype(np.float64), 32, axis=2) for one in (scales, biases)]
        expected[projection] = rounded(codes * wide[0] + wide[1])
    checkpoint, _ = memory_checkpoint(tensors, config={"hidden_size": 64, **mlx_config(4, 32)})
    assert checkpoint.weights.experts.experts(0) == (0, 1, 2)
    for projection, values in expected.items():
        for expert in range(3):
            weight = checkpoint.weights.expert(ExpertKey(0, expert, projection))
            assert weight.name == f"{module}.{expert}.{projection}.weight"
            decoded_like(checkpoint, weight, values[expert])


def stored_for_gemv(codes: Array, zeros: Array, scales: Array, group: int) -> dict[str, Array]:
    """AutoAWQ's `WQLinear_GEMV.from_linear`: rows of words, padded to a multiple for the kernel."""
    rows, columns = codes.shape
    multiple = {128: 1, 64: 2, 32: 4}.get(group, 1)
    words = math.ceil(math.ceil(columns / group / 8) / multiple) * multiple
    wide = np.zeros((rows, 8 * words), np.uint8)
    wide[:, : zeros.shape[1]] = zeros
    padded = np.full((rows, 8 * words), 7, np.float16)  # zeros in its files; no value reads them
    padded[:, : scales.shape[1]] = scales
    return {".qweight": pack(codes, 4, 32), ".qzeros": pack(wide, 4, 32), ".scales": padded}


@pytest.mark.parametrize(("shape", "group"), [((8, 64), 32), ((16, 256), 64), ((8, 1280), 128)])
def test_awq_for_its_gemv_kernel(shape: tuple[int, int], group: int) -> None:
    rng = np.random.default_rng(5)
    codes, zeros, stored, scales = integers(rng, shape, 4, group, most=15)
    groups = np.arange(shape[1]) // group
    exact = (codes - zeros[:, groups]) * scales[:, groups]
    tensors = stored_for_gemv(codes, zeros, stored, group)
    weight = check(Quantized(tensors, rounded(exact), awq_config(group)))
    assert weight.scale is not None
    assert (weight.scheme, weight.scale.block) == ("AWQ GEMV", (1, group))


def test_awq_for_its_gemv_kernel_in_groups_that_its_config_does_not_state() -> None:
    rng = np.random.default_rng(6)
    codes, zeros, stored, _ = integers(rng, (8, 256), 4, 64, most=15)
    tensors = {f"q{end}": one for end, one in stored_for_gemv(codes, zeros, stored, 64).items()}
    for config in ({}, awq_config(128)):
        checkpoint, _ = memory_checkpoint(tensors, config=config)
        with pytest.raises(LayoutError, match=r"no one size of a group gives scales \[8, 16\]"):
            only_weight(checkpoint)


TOLD: Mapping[str, tuple[dict[str, Array], Mapping[str, object] | None, str]] = {
    "torchao of 4 bits": (
        {"._weight_qdata": np.zeros((4, 16), np.uint8), "._weight_scale": float32(np.ones((1, 4))),
         "._weight_zero_point": np.zeros((1, 4), np.int8)},
        None, r"torchao's U8 codes \[4, 16\] .* are not decoded yet",
    ),
    "MLX of a width that no config states": (
        {".weight": np.zeros((4, 8), np.uint32), ".scales": np.ones((4, 2), np.float16),
         ".biases": np.ones((4, 2), np.float16)},
        None, r"packed integers in \[4, 8\] words .* cannot be told",
    ),
    "packed along its outputs": (
        {".weight": np.zeros((8, 64), np.uint8), ".weight_scale": np.ones(1, ml_dtypes.bfloat16)},
        {"quantization_config": {"quant_method": "bitnet"}}, "the config calls it bitnet",
    ),
    "bytes of blocks, as of GGUF": (
        {".weight": np.zeros((4, 36), np.uint8)},
        {"quantization_config": {"quant_method": "gguf"}},
        r"U8 \[4, 36\], and no scale: .* no known scheme; the config calls it gguf",
    ),
    "AWQ for its fast GEMV kernel": (
        {".qweight": np.zeros((8, 64), np.int16), ".scaled_zeros": np.zeros((8, 32), np.float16),
         ".scales": np.ones((8, 32), np.float16)},
        awq_config(32), "the config calls it awq",
    ),
}  # fmt: skip


@pytest.mark.parametrize("why", TOLD)
def test_what_is_not_decoded_is_named(why: str) -> None:
    tensors, config, says = TOLD[why]
    checkpoint, _ = memory_checkpoint(
        {f"fc{end}": stored for end, stored in tensors.items()}, config=config
    )
    with pytest.raises(LayoutError, match=rf"^fc\._?weight.*{says}"):
        only_weight(checkpoint)
