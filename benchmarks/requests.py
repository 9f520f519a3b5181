"""Range requests to a loopback server from a pool of threads: how many a second, at what cost."""

from collections.abc import Callable, Iterable
from statistics import median
from typing import Final

from benchmarks.range_clients import RangeRun, available_clients, run_client
from benchmarks.range_server import RangeServer, range_server
from benchmarks.table import milliseconds, print_table, print_targets

ROUNDS: Final = 5
JOBS: Final = 32
COUNT: Final = 4000
ROW: Final = 4096
"""Bytes of one row of an expert's FP8 matrix."""

HEADER: Final = 224 * 1024
"""Bytes of the header of a shard of 1,578 tensors."""

SWEEP_ROUNDS: Final = 3
SWEEP_JOBS: Final = (4, 8, 16, 32, 64)
SWEEP_LATENCIES_MS: Final = (0, 50)
WAVES: Final = 20
"""Reads of each thread of the sweep where a request has latency."""


def main(rounds: int = ROUNDS) -> None:
    """Time the clients in turns; then ours by number of threads, with and without latency."""
    with range_server(latency_ms=0) as server:
        _compare(server, rounds)
    for latency_ms in SWEEP_LATENCIES_MS:
        with range_server(latency_ms=latency_ms) as server:
            _sweep(server, latency_ms, min(rounds, SWEEP_ROUNDS))


def _compare(server: RangeServer, rounds: int) -> None:
    clients = available_clients()
    runs: dict[str, list[RangeRun]] = {client: [] for client in clients}
    served: dict[str, list[float]] = {client: [] for client in clients}
    for _ in range(rounds):
        for client in clients:
            before = server.served()
            runs[client].append(run_client(client, server.url, jobs=JOBS, length=ROW, count=COUNT))
            after = server.served()
            processor = after.processor - before.processor
            served[client].append(processor / (after.requests - before.requests))
    rows = [
        (
            client, f"{_median(_rate, found):,.0f}", milliseconds(_median(_cost, found)),
            milliseconds(median(served[client])), f"{_times(found, runs['s1inspect']):.2f}",
        )
        for client, found in runs.items()
    ]  # fmt: skip
    title = (
        f"requests: ranges of {ROW:,} bytes over loopback, {JOBS} threads, {COUNT:,} requests, "
        f"{rounds} rounds"
    )
    columns = ("", "requests/s", "processor each", "of the server", "x s1inspect")
    print_table(title, columns, rows)
    ours = runs["s1inspect"]
    print_targets(
        [
            ("requests a second", _median(_rate, ours), ">= 4000"),
            ("ms of processor each", _median(_cost, ours) * 1000, "<= 0.25"),
        ]
    )


def _sweep(server: RangeServer, latency_ms: int, rounds: int) -> None:
    rows = []
    for jobs in SWEEP_JOBS:
        cells = [str(jobs)]
        for length, count in ((ROW, COUNT), (HEADER, COUNT // 4)):
            reads = WAVES * jobs if latency_ms else count
            found = [
                run_client("s1inspect", server.url, jobs=jobs, length=length, count=reads)
                for _ in range(rounds)
            ]
            cells += [f"{_median(_rate, found):,.0f}", milliseconds(_median(_cost, found))]
        rows.append(cells)
    title = f"requests: s1inspect by threads (--jobs), {latency_ms} ms a request, {rounds} rounds"
    columns = ("jobs", "4 KiB: requests/s", "each", "224 KiB: requests/s", "each")
    print_table(title, columns, rows)


def _rate(run: RangeRun) -> float:
    return run.reads / run.wall


def _cost(run: RangeRun) -> float:
    return run.processor / run.reads


def _median(of: Callable[[RangeRun], float], runs: Iterable[RangeRun]) -> float:
    return median(of(run) for run in runs)


def _times(runs: Iterable[RangeRun], ours: Iterable[RangeRun]) -> float:
    """How many times as long as ours: the median of the ratios of each round."""
    return median(run.wall / its.wall for run, its in zip(runs, ours, strict=True))
