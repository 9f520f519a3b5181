"""The same weights through the libraries that serve them."""

from typing import Any

import numpy as np
import pytest

from inspector.decode.fp8 import decode_block_scaled
from inspector.format.dtypes import Dtype
from tests.strategies_arrays import Float32, random_codes

torch: Any = pytest.importorskip("torch", reason="torch is installed with the extra `oracle`")

pytestmark = pytest.mark.usefixtures("way")

SHAPES = [(192, 256), (576, 512), (1000, 300), (256, 256), (64, 200)]
BLOCK = (128, 128)


def drawn(shape: tuple[int, int], dtype: Dtype) -> tuple[Any, Float32]:
    """Codes and scales of a weight."""
    rng = np.random.default_rng(shape)
    grid = (-(-shape[0] // BLOCK[0]), -(-shape[1] // BLOCK[1]))
    return random_codes(rng, dtype, shape), rng.lognormal(-6, 1, grid).astype(np.float32)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(
    ("dtype", "name"),
    [(Dtype.F8_E4M3, "float8_e4m3fn"), (Dtype.F8_E5M2, "float8_e5m2"),
     (Dtype.F8_E4M3FNUZ, "float8_e4m3fnuz"), (Dtype.F8_E5M2FNUZ, "float8_e5m2fnuz")],
    ids=["e4m3", "e5m2", "e4m3fnuz", "e5m2fnuz"],
)  # fmt: skip
def test_torch_gives_the_same_values(dtype: Dtype, name: str, shape: tuple[int, int]) -> None:
    stored, scale = drawn(shape, dtype)
    codes = torch.from_numpy(stored.view(np.uint8)).view(getattr(torch, name))
    repeated = torch.from_numpy(scale).repeat_interleave(128, dim=0).repeat_interleave(128, dim=1)
    expected = codes.float() * repeated[: shape[0], : shape[1]]
    np.testing.assert_array_equal(
        decode_block_scaled(stored, dtype, scale, BLOCK), expected.numpy()
    )


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_compressed_tensors_gives_the_same_values(shape: tuple[int, int]) -> None:
    pytest.importorskip("compressed_tensors", reason="installed with the extra `oracle`")
    from compressed_tensors.quantization import QuantizationArgs
    from compressed_tensors.quantization.lifecycle.forward import dequantize

    stored, scale = drawn(shape, Dtype.F8_E4M3)
    arguments = QuantizationArgs(
        num_bits=8, type="float", strategy="block", block_structure=list(BLOCK)
    )
    found = dequantize(
        x_q=torch.from_numpy(stored.view(np.uint8)).view(torch.float8_e4m3fn),
        scale=torch.from_numpy(scale),
        args=arguments,
        dtype=torch.float32,
    )
    expected = decode_block_scaled(stored, Dtype.F8_E4M3, scale, BLOCK)
    np.testing.assert_array_equal(found.numpy(), expected)
