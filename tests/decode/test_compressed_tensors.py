"""What compressed-tensors and transformers write and read, through our decoder."""

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from inspector.checkpoint import Checkpoint
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


def decode(stored: dict[str, Any], weights: dict[str, Any]) -> tuple[Weight, Float32]:
    """The same through a checkpoint that holds it."""
    tensors = {f"q_proj.{name}": numpy_of(tensor) for name, tensor in stored.items()}
    config = {"quantization_config": {"config_groups": {"group_0": {"weights": weights}}}}
    checkpoint, _ = memory_checkpoint(tensors, config=config)
    (weight,) = checkpoint.reader.settle(
        list(checkpoint.weights.stored_weights(checkpoint.catalog.all_rows))
    )
    return weight, checkpoint.reader.read_values(weight, 0, weight.rows)


@pytest.mark.parametrize("symmetric", [True, False], ids=["symmetric", "asymmetric"])
@pytest.mark.parametrize("bits", [3, 4, 8])
@pytest.mark.parametrize("shape", [(16, 64), (35, 96)], ids=str)
@pytest.mark.parametrize("group", [32, None])
def test_packed_integers(
    shape: tuple[int, int], bits: int, group: int | None, *, symmetric: bool
) -> None:
    weights: dict[str, Any] = {"num_bits": bits, "type": "int", "symmetric": symmetric,
               "strategy": "group" if group else "channel", "group_size": group}  # fmt: skip
    grid = (shape[0], shape[1] // group if group else 1)
    generator = torch.Generator().manual_seed(1)
    scale = torch.rand(grid, generator=generator) * 0.05 + 0.01
    parts: dict[str, Any] = {"weight_scale": scale}
    if not symmetric:
        high = 1 << (bits - 1)
        zero = torch.randint(-high, high, grid, generator=generator)
        parts["weight_zero_point"] = zero.to(torch.int8)
    stored, expected = compressed(weights, parts, shape, "pack-quantized")
    weight, found = decode(stored, weights)
    assert weight.shape == shape
    np.testing.assert_array_equal(found, expected.numpy())


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
    _, found = decode(stored, weights)
    from compressed_tensors.compressors.nvfp4.helpers import unpack_fp4_from_uint8

    codes = unpack_fp4_from_uint8(stored["weight_packed"], *shape, dtype=torch.float32)
    wide = scale.repeat_interleave(16, dim=1)
    np.testing.assert_array_equal(
        found, ((codes.double() * wide.double()) / np.float64(np.float32(317.3))).float().numpy()
    )
    theirs = (codes * (wide / torch.tensor(317.3))).numpy()
    np.testing.assert_allclose(found, theirs, rtol=2**-22)


@pytest.mark.parametrize(
    ("bits", "compressor"),
    [(4, "mxfp4-pack-quantized"), (6, "mxfp6-pack-quantized"), (8, "mxfp8-quantized")],
)
def test_microscaling_formats(bits: int, compressor: str) -> None:
    weights: dict[str, Any] = {"num_bits": bits, "type": "float", "strategy": "group",
               "group_size": 32, "symmetric": True, "scale_dtype": torch.uint8}  # fmt: skip
    scale = torch.exp2(torch.randint(-9, -2, (6, 3)).float())
    stored, expected = compressed(weights, {"weight_scale": scale}, (6, 96), compressor)
    declared = {key: value for key, value in weights.items() if key != "scale_dtype"}
    _, found = decode(stored, declared)
    np.testing.assert_array_equal(found, expected.float().numpy())


@pytest.mark.parametrize("symmetric", [True, False], ids=["symmetric", "asymmetric"])
def test_int8_of_every_row(*, symmetric: bool) -> None:
    weights: dict[str, Any] = {"num_bits": 8, "type": "int", "strategy": "channel",
               "symmetric": symmetric}  # fmt: skip
    parts: dict[str, Any] = {"weight_scale": torch.rand(6, 1) * 0.01 + 0.001}
    if not symmetric:
        parts["weight_zero_point"] = torch.randint(-128, 127, (6, 1)).to(torch.int8)
    stored, expected = compressed(weights, parts, (6, 20), "int-quantized")
    _, found = decode(stored, weights)
    np.testing.assert_array_equal(found, expected.numpy())


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
