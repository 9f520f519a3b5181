"""A cold listing by `--jobs`: what its default is chosen by."""

from typing import Final

from benchmarks.counting_hub import counting_hub
from benchmarks.remote import PROGRAM, Tally
from benchmarks.replica import REPOSITORY, replica
from benchmarks.table import megabytes, print_table
from benchmarks.timing import time_processes

JOBS: Final = (4, 8, 16, 32, 64)
DEFAULT: Final = 32
LATENCIES_MS: Final = (0, 50)
ROUNDS: Final = 4


def main(rounds: int = ROUNDS) -> None:
    """List by ranges, collapsed, with more and fewer reads at a time."""
    command = [PROGRAM, "list-tensors", "-m", REPOSITORY, "--format", "table", "--jobs"]
    with replica() as root:
        for latency_ms in LATENCIES_MS:
            tally = Tally()
            with counting_hub(root, latency_ms=latency_ms) as hub:
                contestants = {
                    str(jobs): tally.contestant(str(jobs), [*command, str(jobs)], hub)
                    for jobs in JOBS
                }
                runs = time_processes(contestants, rounds=rounds)
            default = runs[str(DEFAULT)].wall
            rows = [
                (
                    jobs, f"{found.wall.minimum:.2f} s", f"{found.wall.median:.2f} s",
                    f"{found.processor:.2f} s", megabytes(found.peak_rss),
                    f"{found.wall.over(default):.2f}",
                )
                for jobs, found in runs.items()
            ]  # fmt: skip
            columns = ("--jobs", "minimum", "median", "processor", "peak RSS", f"x {DEFAULT}")
            what = f"listing by ranges, nothing cached, {latency_ms} ms a request"
            print_table(f"jobs: {what}, {rounds} rounds", columns, rows)
