"""Listing 290,292 tensors of 184 shards over a network: time, memory, requests and bytes."""

import os
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from benchmarks.counting_hub import CountingHub, Counts, counting_hub
from benchmarks.replica import REPOSITORY, header_bytes, replica
from benchmarks.table import megabytes, print_table, print_targets
from benchmarks.timing import Processes, ProcessRun, run_process, time_processes

LATENCY_MS: Final = 50
ROUNDS: Final = 4

PEER: Final = f"""
from huggingface_hub import get_safetensors_metadata
found = get_safetensors_metadata({REPOSITORY!r})
print(sum(len(one.tensors) for one in found.files_metadata.values()))
"""


def main() -> None:
    """List through the hub and through huggingface_hub, in turns, each in a fresh process."""
    with replica() as root, counting_hub(root, latency_ms=LATENCY_MS) as hub:
        shards = sorted((root / REPOSITORY).glob("*.safetensors"))
        headers = sum(header_bytes(shard) for shard in shards)
        counts: dict[str, list[Counts]] = {}
        runs = time_processes(_commands(hub, counts), rounds=ROUNDS)
    _report(runs, {name: found[-1] for name, found in counts.items()}, len(shards), headers)


def _commands(
    hub: CountingHub, counts: dict[str, list[Counts]]
) -> Mapping[str, Callable[[], ProcessRun]]:
    program = str(Path(sysconfig.get_path("scripts")) / "s1inspect")
    listing = [program, "list-tensors", "-m", REPOSITORY]
    commands = {
        "s1inspect, collapsed": [*listing, "--format", "table"],
        "s1inspect, every row as JSON": [*listing, "--json"],
        "huggingface_hub": [sys.executable, "-c", PEER],
    }

    def counted(name: str, command: list[str]) -> Callable[[], ProcessRun]:
        def run() -> ProcessRun:
            with tempfile.TemporaryDirectory() as cache:
                found = run_process(command, _environment(hub.endpoint, cache))
            counts.setdefault(name, []).append(hub.counts())
            return found

        return run

    return {name: counted(name, command) for name, command in commands.items()}


def _environment(endpoint: str, cache: str) -> dict[str, str]:
    """Nothing cached, nothing shown: stderr of the peer would be a progress bar."""
    return {
        "HF_ENDPOINT": endpoint,
        "HF_HOME": cache,
        "HF_HUB_CACHE": os.path.join(cache, "hub"),  # noqa: PTH118 - a string is wanted
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "COLUMNS": "120",
    }


def _report(
    runs: Mapping[str, Processes], counts: Mapping[str, Counts], shards: int, headers: int
) -> None:
    ours, every_row, peer = (runs[name] for name in runs)
    rows = [
        (
            name, f"{found.wall.cold:.2f} s", f"{found.wall.minimum:.2f} s",
            f"{found.wall.median:.2f} s", f"{found.processor:.2f} s", megabytes(found.peak_rss),
            f"{counts[name].requests:,}", f"{counts[name].redirects:,}", f"{counts[name].ranges:,}",
            megabytes(counts[name].bytes), f"{found.wall.over(ours.wall):.2f}",
        )
        for name, found in runs.items()
    ]  # fmt: skip
    title = (
        f"listing: {shards} shards, headers of {megabytes(headers)}, {LATENCY_MS} ms a request, "
        f"nothing cached, {ROUNDS} rounds"
    )
    columns = (
        "", "first", "minimum", "median", "processor", "peak RSS",
        "requests", "of them 302", "of them 206", "bytes", "x s1inspect",
    )  # fmt: skip
    print_table(title, columns, rows)
    asked = counts["s1inspect, collapsed"]
    print_targets(
        [
            ("times as fast as huggingface_hub", peer.wall.over(ours.wall), ">= 4"),
            ("MB peak RSS, collapsed", ours.peak_rss / 1e6, "<= 250"),
            ("MB peak RSS, every row", every_row.peak_rss / 1e6, "<= 250"),
            ("range GETs a shard", asked.ranges / shards, "<= 1"),
            ("302s a shard", asked.redirects / shards, "<= 1"),
            ("bytes / bytes of headers", asked.bytes / headers, "<= 1.1"),
        ]
    )
