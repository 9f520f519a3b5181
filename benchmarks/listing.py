"""Listing 290,292 tensors of 184 shards over a network: time, memory, requests and bytes."""

import sys
import tempfile
from collections.abc import Callable, Mapping
from typing import Final

from benchmarks.counting_hub import CountingHub, Counts, counting_hub
from benchmarks.remote import PROGRAM, Tally, hub_environment
from benchmarks.replica import REPOSITORY, header_bytes, replica
from benchmarks.table import megabytes, print_table, print_targets
from benchmarks.timing import Processes, ProcessRun, run_process, time_printed, time_processes

LATENCY_MS: Final = 50
ROUNDS: Final = 4

CLASSIC: Final = f"""
from huggingface_hub import get_safetensors_metadata
found = get_safetensors_metadata({REPOSITORY!r})
print(sum(len(one.tensors) for one in found.files_metadata.values()))
"""

ONE_REQUEST: Final = f"""
from huggingface_hub import get_sharded_safetensors_metadata
found = get_sharded_safetensors_metadata({REPOSITORY!r})
print(sum(len(one.tensors) for one in found.files_metadata.values()))
"""


def main(rounds: int = ROUNDS) -> None:
    """List through the hub and through huggingface_hub, in turns, each in a fresh process.

    Of two hubs, one has the endpoint that gives all headers at once, and one is as a mirror is.
    """
    with (
        replica() as root,
        counting_hub(root, latency_ms=LATENCY_MS) as mirror,
        counting_hub(root, latency_ms=LATENCY_MS, one_request=True) as hub,
        tempfile.TemporaryDirectory() as home,
    ):
        shards = sorted((root / REPOSITORY).glob("*.safetensors"))
        headers = sum(header_bytes(shard) for shard in shards)
        pinned = f"{REPOSITORY}@{mirror.commit}"
        run_process([*_listing(pinned), "-q"], hub_environment(mirror, home))
        tally = Tally()
        runs = time_processes(_contestants(tally, mirror, hub, home), rounds=rounds)
        load = time_printed(
            [sys.executable, "-m", "benchmarks.catalog_seconds", pinned],
            hub_environment(mirror, home),
            rounds=rounds,
        )
    title = (
        f"listing: {len(shards)} shards, headers of {megabytes(headers)}, {LATENCY_MS} ms a "
        f"request, {rounds} rounds"
    )
    _print(title, runs, tally.counts)
    print_targets(_targets(runs, tally.counts, len(shards), headers))
    print_targets([("seconds to load the catalog, warm", load.median, "<= 0.3")])


def _listing(model: str) -> list[str]:
    return [PROGRAM, "list-tensors", "-m", model]


def _contestants(
    tally: Tally, mirror: CountingHub, hub: CountingHub, home: str
) -> Mapping[str, Callable[[], ProcessRun]]:
    pinned = f"{REPOSITORY}@{mirror.commit}"
    table, every_row = ["--format", "table"], ["--json"]
    cold = {
        "ranges": ([*_listing(REPOSITORY), *table], mirror),
        "ranges, JSON": ([*_listing(REPOSITORY), *every_row], mirror),
        "one request": ([*_listing(REPOSITORY), *table], hub),
        "one request, JSON": ([*_listing(REPOSITORY), *every_row], hub),
        "huggingface_hub, one request": ([sys.executable, "-c", ONE_REQUEST], hub),
        "huggingface_hub": ([sys.executable, "-c", CLASSIC], mirror),
    }
    warm = {
        "warm, commit": [*_listing(pinned), *table],
        "warm, commit, -q": [*_listing(pinned), "-q"],
        "warm, commit, JSON": [*_listing(pinned), *every_row],
        "warm, main": [*_listing(REPOSITORY), *table],
    }
    contestants = {
        name: tally.contestant(name, command, asked) for name, (command, asked) in cold.items()
    }
    return contestants | {
        name: tally.contestant(name, command, mirror, home=home) for name, command in warm.items()
    }


def _print(title: str, runs: Mapping[str, Processes], counts: Mapping[str, Counts]) -> None:
    ours = runs["ranges"]
    rows = [
        (
            name, f"{found.wall.cold:.2f} s", f"{found.wall.minimum:.2f} s",
            f"{found.wall.median:.2f} s", f"{found.processor:.2f} s", megabytes(found.peak_rss),
            f"{counts[name].requests:,}", f"{counts[name].redirects:,}", f"{counts[name].ranges:,}",
            megabytes(counts[name].bytes), f"{found.wall.over(ours.wall):.2f}",
        )
        for name, found in runs.items()
    ]  # fmt: skip
    columns = (
        "", "first", "minimum", "median", "processor", "peak RSS",
        "requests", "of them 302", "of them 206", "bytes", "x ranges",
    )  # fmt: skip
    print_table(title, columns, rows)


def _targets(
    runs: Mapping[str, Processes], counts: Mapping[str, Counts], shards: int, headers: int
) -> list[tuple[str, float, str]]:
    peer, one_request_peer = runs["huggingface_hub"], runs["huggingface_hub, one request"]
    asked = counts["ranges"]
    ours = [name for name in runs if not name.startswith("huggingface_hub")]
    largest = max(runs[name].peak_rss for name in ours)
    warm = [name for name in ours if name.startswith("warm, commit")]
    return [
        ("ranges: times as fast as huggingface_hub", _times(peer, runs["ranges"]), ">= 4"),
        ("one request: times as fast as that", _times(peer, runs["one request"]), ">= 4"),
        (
            "one request: times as fast as huggingface_hub, one request",
            _times(one_request_peer, runs["one request"]),
            ">= 1",
        ),
        ("ranges: range GETs a shard", asked.ranges / shards, "<= 1"),
        ("ranges: 302s a shard", asked.redirects / shards, "<= 1"),
        ("ranges: bytes / bytes of headers", asked.bytes / headers, "<= 1.1"),
        ("one request: bytes / bytes of headers", counts["one request"].bytes / headers, "<= 1.1"),
        ("warm, commit: requests", max(counts[name].requests for name in warm), "<= 0"),
        ("warm, commit: seconds", runs["warm, commit"].wall.median, "<= 0.8"),
        ("warm, commit, -q: seconds", runs["warm, commit, -q"].wall.median, "<= 0.8"),
        ("warm, commit, JSON: seconds", runs["warm, commit, JSON"].wall.median, "<= 2"),
        ("MB peak RSS, the largest of ours", largest / 1e6, "<= 250"),
    ]


def _times(peer: Processes, ours: Processes) -> float:
    return peer.wall.over(ours.wall)
