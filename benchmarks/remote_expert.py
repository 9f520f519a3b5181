"""One expert out of a hub, nothing cached: requests, bytes and time, beside a remote file system's.

`HfFileSystem` gets told which shard and which bytes; s1inspect finds them, decodes and measures.
"""

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from benchmarks.counting_hub import Counts, counting_hub
from benchmarks.remote import PROGRAM, Tally
from benchmarks.replica import REPOSITORY, header_bytes
from benchmarks.table import megabytes, print_table, print_targets
from benchmarks.timing import Processes, time_processes

LATENCY_MS: Final = 50
OURS: Final = "s1inspect"
OURS_OF_HUB: Final = "s1inspect, of a hub with one-request headers"

PEER: Final = f"""
import json, sys
from huggingface_hub import HfFileSystem
expert, cache = json.loads(sys.argv[1]), sys.argv[2:]
options = {{"cache_type": cache[0]}} if cache else {{}}
with HfFileSystem().open("{REPOSITORY}/" + expert["shard"], "rb", **options) as file:
    json.loads(file.read(int.from_bytes(file.read(8), "little")))
    for start, stop in expert["spans"]:
        file.seek(start)
        assert len(file.read(stop - start)) == stop - start
"""


@dataclass(frozen=True, slots=True)
class Expert:
    """Where the tensors of one expert lie: spans of its shard, neighbours as one."""

    name: str
    shard: str
    spans: tuple[tuple[int, int], ...]

    @property
    def payload(self) -> int:
        return sum(stop - start for start, stop in self.spans)


def find_expert(folder: Path, layer: int, expert: int) -> Expert:
    """The expert's shard and spans, by the headers.

    Raises:
        LookupError: its tensors are in no shard, or in several.
    """
    name = f"layers.{layer}.mlp.experts.{expert}"
    found = {}
    for shard in sorted(folder.glob("*.safetensors")):
        start = header_bytes(shard)
        with shard.open("rb") as file:
            header = file.read(start)[8:]
        if f".{name}.".encode() in header:
            places = [
                entry["data_offsets"]
                for tensor, entry in json.loads(header).items()
                if f".{name}." in tensor
            ]
            found[shard.name] = _merged([(start + first, start + last) for first, last in places])
    if len(found) != 1:
        raise LookupError(f"expected {name} in one shard, found it in {len(found)}")
    ((shard_name, spans),) = found.items()
    return Expert(name, shard_name, spans)


def time_remote_expert(root: Path, expert: Expert, rounds: int) -> None:
    """Read one expert through the hub, in turns, each in a fresh process with no cache."""
    command = [PROGRAM, "dequant", expert.name, "-m", REPOSITORY]
    peer = [sys.executable, "-c", PEER, json.dumps(asdict(expert))]
    tally = Tally()
    with (
        counting_hub(root, latency_ms=LATENCY_MS) as mirror,
        counting_hub(root, latency_ms=LATENCY_MS, one_request=True) as hub,
    ):
        contestants = {
            name: tally.contestant(name, asked, of)
            for name, asked, of in (
                (OURS, command, mirror),
                (OURS_OF_HUB, command, hub),
                ("HfFileSystem, told where", [*peer, "none"], mirror),
                ("HfFileSystem, told where, its own read-ahead", peer, mirror),
            )
        }
        runs = time_processes(contestants, rounds=rounds)
    title = f"expert: from a hub, {LATENCY_MS} ms a request, nothing cached, {rounds} rounds"
    shard = root / REPOSITORY / expert.shard
    _print(title, runs, tally.counts, expert.payload, shard.stat().st_size)
    _print_targets(tally.counts, expert, header_bytes(shard))


def _print(
    title: str,
    runs: Mapping[str, Processes],
    counts: Mapping[str, Counts],
    payload: int,
    whole_shard: int,
) -> None:
    rows: list[tuple[str, ...]] = [
        (
            name, f"{found.wall.cold:.2f} s", f"{found.wall.minimum:.2f} s",
            f"{found.wall.median:.2f} s", megabytes(found.peak_rss), f"{counts[name].requests:,}",
            f"{counts[name].ranges:,}", f"{counts[name].shards:,}", megabytes(counts[name].bytes),
            f"{counts[name].bytes / payload:.3f}", f"{found.wall.over(runs[OURS].wall):.2f}",
        )
        for name, found in runs.items()
    ]  # fmt: skip
    share = f"{whole_shard / payload:.0f}"
    download = ("hf_hub_download of the shard: not run", *[""] * 7, megabytes(whole_shard), share)
    columns = (
        "", "first", "minimum", "median", "peak RSS", "requests", "of them 206", "shards", "bytes",
        "x payload", "x s1inspect",
    )  # fmt: skip
    print_table(title, columns, [*rows, (*download, "")])


def _print_targets(counts: Mapping[str, Counts], expert: Expert, header: int) -> None:
    where = f"{expert.payload:,} bytes in {len(expert.spans)} spans"
    print(f"  payload: {where}; the header of its shard: {header:,}")
    targets = []
    for name in (OURS, OURS_OF_HUB):
        without_header = (counts[name].bytes - header) / expert.payload
        targets += [
            (f"{name}: bytes without that header / payload", without_header, "<= 1.02"),
            (f"{name}: indexes fetched", counts[name].indexes, "<= 0"),
        ]
    print_targets(targets)


def _merged(spans: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    merged: list[tuple[int, int]] = []
    for start, stop in sorted(spans):
        if merged and merged[-1][1] == start:
            merged[-1] = merged[-1][0], stop
        else:
            merged.append((start, stop))
    return tuple(merged)
