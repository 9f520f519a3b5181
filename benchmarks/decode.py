"""FP8 128x128 block decode of one matrix to float32, one thread, each time to a fresh array."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import ml_dtypes
import numpy as np
import numpy.typing as npt

from benchmarks.table import milliseconds, print_table, print_targets
from benchmarks.timing import time_rounds
from inspector.decode import fused
from inspector.decode.blocks import Factor, decode_strips
from inspector.decode.fp8 import decode_block_scaled
from inspector.format.codings import E4M3
from inspector.format.dtypes import Dtype

SHAPE: Final = (4608, 4096)
BLOCK: Final = 128
ROUNDS: Final = 21

Float32 = npt.NDArray[np.float32]
Codes = npt.NDArray[np.uint8]


def main(rounds: int = ROUNDS) -> None:
    """Time the decoders in turns and compare each with the best form of a peer."""
    codes, scale = _quantized(np.random.default_rng(0))
    contestants = _contestants(codes, scale)
    expected = contestants["s1inspect"]()
    for name, contestant in contestants.items():
        if name != "fill":
            assert np.array_equal(np.asarray(contestant()), expected), name
    timings = time_rounds(contestants, rounds=rounds)
    ours = timings["s1inspect"]
    elements = SHAPE[0] * SHAPE[1]
    rows = [
        (
            name, milliseconds(timing.cold),
            milliseconds(timing.minimum), milliseconds(timing.median),
            f"{elements / timing.minimum / 1e6:,.0f}", f"{timing.over(ours):.2f}",
        )
        for name, timing in timings.items()
    ]  # fmt: skip
    what = f"{list(SHAPE)} F8_E4M3 x F32 {[BLOCK, BLOCK]} to float32"
    kernel = "with the kernel" if fused.is_compiled() else "the kernel was not compiled"
    title = f"decode: {what}, 1 thread, {rounds} rounds, {kernel}"
    columns = ("", "first", "minimum", "median", "M elements/s", "x s1inspect")
    print_table(title, columns, rows)
    best = {
        peer: min(timing.over(ours) for name, timing in timings.items() if name.startswith(peer))
        for peer in ("torch", "compressed-tensors", "ml_dtypes", "fill")
    }
    print_targets(
        [
            ("times as fast as torch", best["torch"], ">= 5"),
            ("times as fast as compressed-tensors", best["compressed-tensors"], ">= 5"),
            ("times as fast as ml_dtypes", best["ml_dtypes"], ">= 12"),
            ("of the rate of filling the array", best["fill"], ">= 0.5"),
        ]
    )


def _quantized(rng: np.random.Generator) -> tuple[Codes, Float32]:
    """Normal weights as codes with `amax / 448` scales; the speed of ml_dtypes depends on them."""
    weights = 0.02 * rng.standard_normal(SHAPE, dtype=np.float32)
    tiles = weights.reshape(SHAPE[0] // BLOCK, BLOCK, SHAPE[1] // BLOCK, BLOCK)
    scale = np.asarray(np.abs(tiles).max(axis=(1, 3)) / 448, dtype=np.float32)
    tiles /= scale[:, None, :, None]
    return weights.astype(ml_dtypes.float8_e4m3fn).view(np.uint8), scale


def _contestants(codes: Codes, scale: Float32) -> Mapping[str, Callable[[], Any]]:
    import torch
    from compressed_tensors.quantization import QuantizationArgs
    from compressed_tensors.quantization.lifecycle.forward import dequantize

    torch.set_num_threads(1)
    arguments = QuantizationArgs(
        num_bits=8, type="float", strategy="block", block_structure=[BLOCK, BLOCK]
    )
    e4m3 = codes.view(ml_dtypes.float8_e4m3fn)
    tensor = torch.from_numpy(codes).view(torch.float8_e4m3fn)
    multipliers = torch.from_numpy(scale)
    tiles = (SHAPE[0] // BLOCK, BLOCK, SHAPE[1] // BLOCK, BLOCK)

    def steps() -> Float32:
        values = np.empty(SHAPE, dtype=np.float32)
        decode_strips(codes, E4M3, [Factor(scale, (BLOCK, BLOCK))], values)
        return values

    def torch_repeat() -> Any:
        wide = multipliers.repeat_interleave(BLOCK, 0).repeat_interleave(BLOCK, 1)
        return tensor.to(torch.float32) * wide

    def torch_tiles() -> Any:
        values = tensor.to(torch.float32)
        values.view(tiles).mul_(multipliers[:, None, :, None])
        return values

    def ml_dtypes_repeat() -> Float32:
        wide = np.repeat(np.repeat(scale, BLOCK, axis=0), BLOCK, axis=1)
        return np.asarray(e4m3.astype(np.float32) * wide)

    def ml_dtypes_tiles() -> Float32:
        values: Float32 = e4m3.astype(np.float32)
        view = values.reshape(tiles)
        np.multiply(view, scale[:, None, :, None], out=view)
        return values

    return {
        "s1inspect": lambda: decode_block_scaled(e4m3, Dtype.F8_E4M3, scale, (BLOCK, BLOCK)),
        "s1inspect, no kernel": steps,
        "fill": lambda: np.full(SHAPE, np.float32(1)),
        "torch, tiles": torch_tiles,
        "torch, repeat": torch_repeat,
        "compressed-tensors": lambda: dequantize(
            x_q=tensor, scale=multipliers, args=arguments, dtype=torch.float32
        ),
        "ml_dtypes, tiles": ml_dtypes_tiles,
        "ml_dtypes, repeat": ml_dtypes_repeat,
    }
