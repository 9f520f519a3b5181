"""Repeated measurements: of functions in this process, and of whole processes with their memory."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

RSS_UNIT: Final = 1 if sys.platform == "darwin" else 1024
"""`ru_maxrss` is in bytes on macOS and in KiB on Linux."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds of one contestant, in the order they were taken; `cold` is the first."""

    seconds: tuple[float, ...]

    @property
    def cold(self) -> float:
        return self.seconds[0]

    @property
    def warm(self) -> tuple[float, ...]:
        """All but the first, or the first where there is no other."""
        return self.seconds[1:] or self.seconds

    @property
    def minimum(self) -> float:
        return min(self.warm)

    @property
    def median(self) -> float:
        return median(self.warm)

    def over(self, other: "Timing") -> float:
        """How many times as long as `other`: the median of the ratios of each round."""
        return median(mine / its for mine, its in zip(self.warm, other.warm, strict=True))


@dataclass(frozen=True, slots=True)
class ProcessRun:
    """One whole process: wall and processor seconds, and the bytes of its peak memory."""

    wall: float
    processor: float
    peak_rss: int


@dataclass(frozen=True, slots=True)
class Processes:
    """Runs of one command, in the order they were taken."""

    runs: tuple[ProcessRun, ...]

    @property
    def wall(self) -> Timing:
        return Timing(tuple(run.wall for run in self.runs))

    @property
    def peak_rss(self) -> int:
        """The largest peak of any run."""
        return max(run.peak_rss for run in self.runs)

    @property
    def processor(self) -> float:
        return median(run.processor for run in self.runs)


def time_rounds(
    contestants: Mapping[str, Callable[[], object]], *, rounds: int
) -> dict[str, Timing]:
    """Seconds of each contestant, one call a round, in turns: a slow moment hits all of them."""
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, contestant in contestants.items():
            started = time.perf_counter()
            contestant()
            seconds[name].append(time.perf_counter() - started)
    return {name: Timing(tuple(values)) for name, values in seconds.items()}


def run_process(command: Sequence[str], environment: Mapping[str, str] | None = None) -> ProcessRun:
    """Run a command to its end; what it writes is dropped, unless it fails.

    The peak is the child's own only where it exceeds the peak of this process, which the child
    inherits when it starts: callers import nothing large and hold nothing large.

    Raises:
        RuntimeError: it failed.
    """
    with tempfile.TemporaryFile() as complaints:
        started = time.perf_counter()
        child = subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            stderr=complaints,
            env=os.environ | dict(environment or {}),
        )
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - started
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            complaints.seek(0)
            said = complaints.read().decode(errors="replace").strip()
            raise RuntimeError(f"{' '.join(command)}: exit code {child.returncode}\n{said}")
    return ProcessRun(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * RSS_UNIT)


def time_printed(command: Sequence[str], environment: Mapping[str, str], *, rounds: int) -> Timing:
    """Seconds that a command prints of a part of itself, each time in a fresh process.

    Raises:
        RuntimeError: it failed.
    """
    seconds = []
    for _ in range(rounds):
        run = subprocess.run(
            command, env=os.environ | environment, capture_output=True, check=False, text=True
        )
        if run.returncode:
            raise RuntimeError(f"{' '.join(command)}: exit code {run.returncode}\n{run.stderr}")
        seconds.append(float(run.stdout))
    return Timing(tuple(seconds))


def time_processes(
    commands: Mapping[str, Callable[[], ProcessRun]], *, rounds: int
) -> dict[str, Processes]:
    """Runs of each command, in turns."""
    runs: dict[str, list[ProcessRun]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            runs[name].append(command())
    return {name: Processes(tuple(values)) for name, values in runs.items()}
