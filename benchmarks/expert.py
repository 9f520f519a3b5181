"""`dequant` of one expert of 18.9 M parameters from disk: whole processes, against torch's."""

import os
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Final

from benchmarks.replica import REPOSITORY, replica
from benchmarks.table import megabytes, milliseconds, print_table, print_targets
from benchmarks.timing import ProcessRun, run_process, time_processes

ROUNDS: Final = 6
LAYER: Final = 3
EXPERT: Final = 200

PEER: Final = f"""
import json, sys
from pathlib import Path
import torch
from safetensors import safe_open
folder = Path(sys.argv[1])
places = json.loads((folder / "model.safetensors.index.json").read_text())["weight_map"]
start = "model.language_model.layers.{LAYER}.mlp.experts.{EXPERT}."
def load(name):
    with safe_open(folder / places[name], framework="pt") as file:
        return file.get_tensor(name)
for matrix in ("down_proj", "gate_proj", "up_proj"):
    values = load(start + matrix + ".weight").to(torch.float32)
    scale = load(start + matrix + ".weight_scale_inv")
    rows, columns = scale.shape
    values.view(rows, 128, columns, 128).mul_(scale[:, None, :, None])
    std, mean = torch.std_mean(values, correction=0)
    print(matrix, values.min().item(), values.max().item(), mean.item(), std.item(),
          (values == 0).sum().item(), values.isnan().sum().item())
"""


def main() -> None:
    """Time both, with the shards in the page cache and, where the system allows it, without."""
    with replica(fill=f"{LAYER},{EXPERT}") as root:
        folder = root / REPOSITORY
        with (folder / "model.safetensors.index.json").open("rb") as file:
            os.fsync(file.fileno())
        shard = _shard_of_expert(folder)
        program = str(Path(sysconfig.get_path("scripts")) / "s1inspect")
        target = ["dequant", f"layers.{LAYER}.mlp.experts.{EXPERT}", "-m"]
        peer = [sys.executable, "-c", PEER, str(folder)]
        commands: dict[str, Callable[[], ProcessRun]] = {
            "s1inspect, the directory": lambda: run_process([program, *target, str(folder)]),
            "s1inspect, the one shard": lambda: run_process([program, *target, str(shard)]),
            "safetensors + torch": lambda: run_process(peer),
        }
        warm = time_processes(commands, rounds=ROUNDS)
        cold = time_processes(
            {name: _evicted(folder, command) for name, command in commands.items()}, rounds=2
        )
    ours = warm["s1inspect, the directory"]
    rows = [
        (
            name, milliseconds(cold[name].wall.minimum), milliseconds(found.wall.minimum),
            milliseconds(found.wall.median), f"{found.processor:.2f} s", megabytes(found.peak_rss),
            f"{found.wall.over(ours.wall):.2f}",
        )
        for name, found in warm.items()
    ]  # fmt: skip
    columns = ("", "evicted", "minimum", "median", "processor", "peak RSS", "x s1inspect")
    print_table(f"expert: three matrices of 18.9 M values, {ROUNDS} rounds", columns, rows)
    print_targets(
        [
            ("seconds, the directory", ours.wall.minimum, "<= 0.6"),
            ("MB peak RSS, the directory", ours.peak_rss / 1e6, "<= 200"),
            ("seconds, the one shard", warm["s1inspect, the one shard"].wall.minimum, "<= 0.6"),
            (
                "MB peak RSS, the one shard",
                warm["s1inspect, the one shard"].peak_rss / 1e6,
                "<= 200",
            ),
        ]
    )


def _shard_of_expert(folder: Path) -> Path:
    """The shard with data in it: all others are holes."""
    return max(folder.glob("*.safetensors"), key=lambda shard: shard.stat().st_blocks)


def _evicted(folder: Path, command: Callable[[], ProcessRun]) -> Callable[[], ProcessRun]:
    """`command` after the files have left the page cache, as far as the system lets them."""

    def run() -> ProcessRun:
        for path in folder.iterdir():
            descriptor = os.open(path, os.O_RDONLY)
            os.fsync(descriptor)
            if hasattr(os, "posix_fadvise"):
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)
        return command()

    return run
