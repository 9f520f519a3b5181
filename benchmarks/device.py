"""Decode and full comparison by CUDA if there is any, by torch on the processor, and by us."""

import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final

import ml_dtypes
import numpy as np

from benchmarks.table import milliseconds, print_table
from benchmarks.timing import time_rounds
from benchmarks.whole import Work, comparison, write_experts
from inspector.analysis.compare.weight_diff import WeightRow
from inspector.decode.blocks import Factor
from inspector.decode.device import CPU, STAND_IN, Device, open_device
from inspector.decode.fp8 import decode_block_scaled
from inspector.decode.numeric import Array, Float32
from inspector.errors import DeviceNotThere
from inspector.format.dtypes import Dtype
from inspector.run.packing import unpacked

SHAPE: Final = (4608, 4096)
BLOCK: Final = 128
EXPERTS: Final = 2
ROUNDS: Final = 4
TOLERANCE: Final = 1e-12


def main(rounds: int = ROUNDS) -> None:
    """Time what there is in turns, after a look that all give the same."""
    there: dict[str, Device] = {}
    for name in (STAND_IN, "cuda"):
        try:
            device = open_device(name)
        except DeviceNotThere as error:
            print(f"no {name} here: {error}")
            continue
        assert device is not None
        print(f"{name}: {device.description}")
        there[name] = device
    print()
    _decode(there, rounds)
    with tempfile.TemporaryDirectory() as folder:
        _compare(Path(folder), [CPU, *there], rounds)


def _decode(devices: Mapping[str, Device], rounds: int) -> None:
    rng = np.random.default_rng(0)
    codes = rng.standard_normal(SHAPE, dtype=np.float32).astype(ml_dtypes.float8_e4m3fn)
    grid = (SHAPE[0] // BLOCK, SHAPE[1] // BLOCK)
    scale = rng.uniform(1e-4, 2e-4, grid).astype(np.float32)
    here = partial(decode_block_scaled, codes, Dtype.F8_E4M3, scale, (BLOCK, BLOCK))
    expected = here()
    contestants: dict[str, Callable[[], object]] = {"s1inspect": here}
    for name, device in devices.items():
        assert np.array_equal(_decoded(device, codes, scale, back=True), expected)
        contestants[f"{name}, left there"] = partial(_decoded, device, codes, scale, back=False)
        contestants[f"{name}, and back"] = partial(_decoded, device, codes, scale, back=True)
    _print(
        f"device: decode {list(SHAPE)} F8_E4M3 x F32 {[BLOCK, BLOCK]}, sent included",
        contestants, codes.nbytes, rounds,
    )  # fmt: skip


def _decoded(device: Device, codes: Array, scale: Float32, *, back: bool) -> Float32:
    """The values, or one of them: by then all are there."""
    factor = Factor(scale, (BLOCK, BLOCK))
    values = device.scaled(device.plain(codes, Dtype.F8_E4M3), [factor])
    found: Float32 = (values if back else values[-1:, -1:]).cpu().numpy()
    return found


def _compare(root: Path, names: list[str], rounds: int) -> None:
    fp8, again, plain = (
        write_experts(root / name, seed, quantized=quantized, experts=EXPERTS)
        for name, seed, quantized in (("a", 1, True), ("b", 2, True), ("c", 3, False))
    )
    for what, other in (("FP8 to FP8", again), ("FP8 to BF16", plain)):
        works = {name: comparison(fp8, other, name) for name in names}
        expected = _rows(works[CPU])
        for work in works.values():
            _check(_rows(work), expected)
        size = sum(task.size for task, _ in works[CPU])
        _print(
            f"device: compare --full, {what}, one task at a time, files in the page cache",
            {"s1inspect" if name == CPU else name: partial(_rows, work)
             for name, work in works.items()},
            size, rounds,
        )  # fmt: skip


def _rows(work: Work) -> list[WeightRow]:
    rows: list[WeightRow] = []
    for task, sources in work:
        rows += unpacked(task.run(sources), list[WeightRow]) or []
    return rows


def _check(found: list[WeightRow], expected: list[WeightRow]) -> None:
    assert len(found) == len(expected) > 0
    for one, other in zip(found, expected, strict=True):
        assert (one.equal, one.largest_change) == (other.equal, other.largest_change)
        for mine, its in ((one.cosine, other.cosine), (one.noise, other.noise),
                          (one.relative_change, other.relative_change)):  # fmt: skip
            assert mine is not None
            assert its is not None
            assert abs(mine - its) <= TOLERANCE * max(1, abs(its))


def _print(
    title: str, contestants: Mapping[str, Callable[[], object]], size: int, rounds: int
) -> None:
    timings = time_rounds(contestants, rounds=rounds)
    ours = timings["s1inspect"]
    rows = [
        (
            name, milliseconds(timing.cold), milliseconds(timing.minimum),
            milliseconds(timing.median), f"{size / timing.minimum / 1e6:,.0f}",
            f"{timing.over(ours):.2f}",
        )
        for name, timing in timings.items()
    ]  # fmt: skip
    columns = ("", "first", "minimum", "median", "MB/s stored", "x s1inspect")
    print_table(f"{title}, {rounds} rounds", columns, rows)
