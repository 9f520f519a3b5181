"""What compressed-tensors and transformers write and read, through our decoder."""

from collections.abc import Iterator
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from inspector.checkpoint import Checkpoint
from inspector.errors import DecodeError
from inspector.layout.experts import ExpertKey
from inspector.layout.families import Projection
from inspector.layout.weights import Weight
from tests.strategies_arrays import Array, Float32, memory_checkpoint

torch: Any = pytest.importorskip("torch", reason="torch is installed with the extra `oracle`")
pytest.importorskip("compressed_tensors", reason="installed with the extra `oracle`")


def numpy_of(tensor: Any) -> Array:
    """A torch tensor as an array, of a dtype that numpy lacks too."""
    views = {
        torch.bfloat16: (torch.uint8, ml_dtypes.bfloat16),
        torch.float8_e4m3fn: (torch.uint8, ml_dtypes.float8_e4m3fn),
    }
    if tensor.dtype in views:
        through, dtype = views[tensor.dtype]
        bytes_of: Array = tensor.contiguous().reshape(*tensor.shape, 1).view(through).numpy()
        shaped: Array = np.ascontiguousarray(bytes_of).view(dtype).reshape(tuple(tensor.shape))
        return shaped
    found: Array = tensor.numpy()
    return found


def compressed(
    arguments: dict[str, Any], scales: dict[str, Any], shape: tuple[int, int], compressor: str
) -> tuple[dict[str, Any], Any]:
    """A weight as the library stores it, and as the library reads it back."""
    from compressed_tensors.compressors.base import BaseCompressor
    from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme

    scheme = QuantizationScheme(targets=["Linear"], weights=QuantizationArgs(**arguments))
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(shape, generator=generator) * 0.1
    one = BaseCompressor.get_value_from_registry(compressor)
    stored = one.compress({"weight": weight, **scales}, scheme)
    return stored, one.decompress(dict(stored), scheme)["weight"]


def held(stored: dict[str, Any], weights: dict[str, Any]) -> tuple[Checkpoint, Weight]:
    """A checkpoint that holds it, and the weight."""
    tensors = {f"q_proj.{name}": numpy_of(tensor) for name, tensor in stored.items()}
    config = {"quantization_config": {"config_groups": {"group_0": {"weights": weights}}}}
    checkpoint, _ = memory_checkpoint(tensors, config=config)
    (weight,) = checkpoint.reader.settle(
        list(checkpoint.weights.stored_weights(checkpoint.catalog.all_rows))
    )
    return checkpoint, weight


def draw_parts(
    shape: tuple[int, int], arguments: dict[str, Any], scale_dtype: Any
) -> dict[str, Any]:
    """A scale for what the strategy covers, and zero points where it is not symmetric."""
    rows, columns = shape
    grid = {
        "tensor": (1,), "channel": (rows, 1), "block": (-(-rows // 16), -(-columns // 32)),
        "group": (rows, columns // (arguments.get("group_size") or columns)),
    }[arguments["strategy"]]  # fmt: skip
    generator = torch.Generator().manual_seed(1)
    scale = torch.rand(grid, generator=generator) * 0.05 + 0.01
    if "scale_dtype" in arguments:
        scale = torch.exp2(torch.randint(-9, -2, grid, generator=generator).float())
    parts = {"weight_scale": scale.to(scale_dtype)}
    if not arguments["symmetric"]:
        high = 1 << (arguments["num_bits"] - 1)
        zero = torch.randint(-high, high, grid, generator=generator)
        parts["weight_zero_point"] = zero.to(torch.int8)
    return parts


def cases() -> Iterator[Any]:
    """Every format that the library writes, with what it may be asked for."""
    for strategy in ("tensor", "channel", "group"):
        for symmetric in (True, False):
            own: dict[str, Any] = {"type": "int", "strategy": strategy, "symmetric": symmetric}
            for bits in range(1, 9) if strategy != "tensor" else (4, 8):
                yield "pack-quantized", {**own, "num_bits": bits}
            yield "int-quantized", {**own, "num_bits": 8}
            yield "naive-quantized", {**own, "num_bits": 8}
    for strategy in ("tensor", "channel", "group", "block"):
        own = {"type": "float", "strategy": strategy, "symmetric": True, "num_bits": 8}
        yield "float-quantized", own
        yield "naive-quantized", own
    for bits, name in ((4, "mxfp4-pack"), (6, "mxfp6-pack"), (8, "mxfp8")):
        yield f"{name}-quantized", {"type": "float", "strategy": "group", "symmetric": True,
                                    "num_bits": bits, "scale_dtype": torch.uint8}  # fmt: skip


def id_of(value: object) -> str:
    if not isinstance(value, dict):
        return str(value)
    sign = "" if value["symmetric"] else " asymmetric"
    return f"{value['type']}{value['num_bits']} by {value['strategy']}{sign}"


@pytest.mark.parametrize(("compressor", "arguments"), list(cases()), ids=id_of)
def test_every_format_of_the_library(compressor: str, arguments: dict[str, Any]) -> None:
    """Bit for bit, whether its scales are F32 or BF16, in which the library then multiplies."""
    width: dict[str, dict[str, Any]] = {
        "group": {"group_size": 32}, "block": {"block_structure": [16, 32]},
    }  # fmt: skip
    arguments = arguments | width.get(arguments["strategy"], {})
    declared = {key: value for key, value in arguments.items() if key != "scale_dtype"}
    for shape, scale_dtype in (((16, 64), torch.float32), ((35, 96), torch.bfloat16)):
        parts = draw_parts(shape, arguments, scale_dtype)
        stored, expected = compressed(arguments, parts, shape, compressor)
        checkpoint, weight = held(stored, declared)
        assert weight.shape == shape
        (rows,) = checkpoint.reader.iterate_rows(weight, 0, weight.rows)
        found = rows.values
        if expected.dtype == torch.bfloat16:
            found = rows.unrounded().astype(ml_dtypes.bfloat16).astype(np.float32)
        np.testing.assert_array_equal(found, expected.float().numpy())


def test_no_format_of_the_library_is_left_out() -> None:
    """Those it names and cannot write are of its earlier versions, or say that there are several.

    NVFP4 has tests of its own below; `dense` is no quantization.
    """
    from compressed_tensors.compressors.base import BaseCompressor
    from compressed_tensors.config import CompressionFormat

    written = set(BaseCompressor.registered_names())
    tested = {compressor for compressor, _ in cases()}
    assert written == {*tested, "nvfp4-pack-quantized", "dense"}
    assert {str(one.value) for one in CompressionFormat} - written == {
        "sparse-bitmask", "sparse-24-bitmask", "marlin-24", "mixed-precision",
    }  # fmt: skip


@pytest.mark.parametrize("symmetric", [True, False], ids=["symmetric", "asymmetric"])
@pytest.mark.parametrize("bits", [4, 8])
def test_groups_of_columns_in_the_order_of_activations(bits: int, *, symmetric: bool) -> None:
    """`weight_g_idx` names the group of each column; versions before 0.20 of the library write it.

    The oracle is the library on the columns sorted by group, which is what those versions did.
    """
    from compressed_tensors.compressors.pack_quantized.helpers import (
        pack_to_int32,
        unpack_from_int32,
    )

    shape = (35, 96)
    arguments: dict[str, Any] = {"num_bits": bits, "type": "int", "strategy": "group",
                                 "symmetric": symmetric, "group_size": 32}  # fmt: skip
    stored, expected = compressed(
        arguments, draw_parts(shape, arguments, torch.float32), shape, "pack-quantized"
    )
    order = torch.randperm(shape[1], generator=torch.Generator().manual_seed(2))
    codes = unpack_from_int32(stored["weight_packed"], bits, torch.Size(shape))
    moved = {
        "weight_packed": pack_to_int32(codes[:, order].contiguous(), bits),
        "weight_g_idx": (order // 32).to(torch.int32),
    }
    checkpoint, weight = held(stored | moved, arguments)
    wanted = expected[:, order].numpy()
    for start, stop in ((0, 35), (3, 4), (7, 33)):
        found = checkpoint.reader.read_values(weight, start, stop)
        np.testing.assert_array_equal(found, wanted[start:stop])
    unfilled = {"weight_g_idx": torch.full((shape[1],), -1, dtype=torch.int32)}
    checkpoint, weight = held(stored | unfilled, arguments)
    found = checkpoint.reader.read_values(weight, 0, 35)
    np.testing.assert_array_equal(found, expected.numpy())


@pytest.mark.parametrize("index", [torch.full((32,), 1), torch.full((32,), -2), torch.zeros(31)])
def test_an_index_of_no_such_groups_is_refused(index: Any) -> None:
    arguments: dict[str, Any] = {"num_bits": 4, "type": "int", "strategy": "group",
                                 "symmetric": True, "group_size": 32}  # fmt: skip
    parts = draw_parts((4, 32), arguments, torch.float32)
    stored, _ = compressed(arguments, parts, (4, 32), "pack-quantized")
    checkpoint, weight = held(stored | {"weight_g_idx": index.to(torch.int32)}, arguments)
    with pytest.raises(DecodeError, match=r"q_proj\.weight_g_idx \[3.\] has groups .* has 1, "):
        checkpoint.reader.read_values(weight, 0, 4)


@pytest.mark.parametrize("shape", [(8, 64), (5, 48)], ids=str)
def test_nvfp4_within_the_rounding_of_a_scale_that_was_divided_first(
    shape: tuple[int, int],
) -> None:
    """The library rounds scale / global_scale; here the product is exact and rounded once."""
    weights: dict[str, Any] = {"num_bits": 4, "type": "float", "strategy": "tensor_group",
               "group_size": 16, "symmetric": True}  # fmt: skip
    scale = (torch.rand(shape[0], shape[1] // 16) * 20 + 5).to(torch.float8_e4m3fn).float()
    parts = {"weight_scale": scale, "weight_global_scale": torch.tensor([317.3])}
    stored, _ = compressed(weights, parts, shape, "nvfp4-pack-quantized")
    checkpoint, weight = held(stored, weights)
    found = checkpoint.reader.read_values(weight, 0, weight.rows)
    from compressed_tensors.compressors.nvfp4.helpers import unpack_fp4_from_uint8

    codes = unpack_fp4_from_uint8(stored["weight_packed"], *shape, dtype=torch.float32)
    wide = scale.repeat_interleave(16, dim=1)
    np.testing.assert_array_equal(
        found, ((codes.double() * wide.double()) / np.float64(np.float32(317.3))).float().numpy()
    )
    theirs = (codes * (wide / torch.tensor(317.3))).numpy()
    np.testing.assert_allclose(found, theirs, rtol=2**-22)


def test_gpt_oss_as_transformers_reads_it() -> None:
    mxfp4 = pytest.importorskip("transformers.integrations.mxfp4", reason="extra `oracle`")
    rng = np.random.default_rng(0)
    blocks = rng.integers(0, 256, (2, 12, 2, 16), dtype=np.uint8)
    scales = rng.integers(110, 130, (2, 12, 2), dtype=np.uint8)
    both = mxfp4.convert_moe_packed_tensors(
        torch.from_numpy(blocks), torch.from_numpy(scales), dtype=torch.float32
    )
    path = "model.layers.0.mlp.experts.gate_up_proj"
    tensors: dict[str, Array] = {f"{path}_blocks": blocks, f"{path}_scales": scales,
               f"{path}_bias": np.zeros((2, 12), np.float32)}  # fmt: skip
    checkpoint, _ = memory_checkpoint(tensors, config={"hidden_size": 64})
    for expert in (0, 1):
        for projection, first in ((Projection.GATE, 0), (Projection.UP, 1)):
            found = _expert(checkpoint, expert, projection)
            np.testing.assert_array_equal(found, both[expert, :, first::2].numpy().T)


def _expert(checkpoint: Checkpoint, expert: int, projection: Projection) -> Float32:
    weight = checkpoint.weights.expert(ExpertKey(0, expert, projection))
    return checkpoint.reader.read_values(weight, 0, weight.rows)
