"""`dequant` of one expert of 18.9 M parameters, from disk and from a hub: whole processes."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from benchmarks.remote import PROGRAM
from benchmarks.remote_expert import find_expert, time_remote_expert
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


def main(rounds: int = ROUNDS) -> None:
    """Time it from disk, and by ranges from a hub."""
    with replica(fill=f"{LAYER},{EXPERT}") as root:
        folder = root / REPOSITORY
        with (folder / "model.safetensors.index.json").open("rb") as file:
            os.fsync(file.fileno())
        expert = find_expert(folder, LAYER, EXPERT)
        _time_local(folder, folder / expert.shard, rounds)
        time_remote_expert(root, expert, rounds)


def _time_local(folder: Path, shard: Path, rounds: int) -> None:
    """With the shards in the page cache and, where the system allows it, without."""
    target = [PROGRAM, "dequant", f"layers.{LAYER}.mlp.experts.{EXPERT}", "-m"]
    peer = [sys.executable, "-c", PEER, str(folder)]
    commands: dict[str, Callable[[], ProcessRun]] = {
        "s1inspect, the directory": lambda: run_process([*target, str(folder)]),
        "s1inspect, the one shard": lambda: run_process([*target, str(shard)]),
        "safetensors + torch": lambda: run_process(peer),
    }
    warm = time_processes(commands, rounds=rounds)
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
    title = f"expert: three matrices of 18.9 M values from disk, {rounds} rounds"
    print_table(title, columns, rows)
    one_shard = warm["s1inspect, the one shard"]
    print_targets(
        [
            ("seconds, the directory", ours.wall.minimum, "<= 0.6"),
            ("MB peak RSS, the directory", ours.peak_rss / 1e6, "<= 200"),
            ("seconds, the one shard", one_shard.wall.minimum, "<= 0.6"),
            ("MB peak RSS, the one shard", one_shard.peak_rss / 1e6, "<= 200"),
        ]
    )


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
