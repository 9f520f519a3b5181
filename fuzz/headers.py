"""`python -m fuzz.headers --count 1000000`: mutated headers against safetensors, by a seed.

Fails where the two parsers differ without a documented reason, where ours raises anything but a
FormatError, and where a process needs more memory than `MAX_PEAK_MB`. The same seed and count judge
the same files on any number of processes.
"""

import argparse
import multiprocessing
import os
import resource
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from tempfile import mkdtemp
from typing import Final

from fuzz.judge import DIFFERENCES, judge
from fuzz.mutate import mutated_file

CHUNK: Final = 5_000
"""Files of one seed; a chunk is what a process takes at a time."""

MAX_PEAK_MB: Final = 64
"""Of a process that judges files of some hundred bytes, three times what it was measured to be."""


@dataclass(slots=True)
class Tally:
    """What happened to some files; `failures` are the files that must not be, and why."""

    counts: Counter[str] = field(default_factory=Counter)
    rules: Counter[str] = field(default_factory=Counter)
    differences: Counter[str] = field(default_factory=Counter)
    failures: list[tuple[bytes, str]] = field(default_factory=list)
    peak_mb: float = 0.0

    def add(self, other: "Tally") -> None:
        """Take over what another tally counted."""
        self.counts += other.counts
        self.rules += other.rules
        self.differences += other.differences
        self.failures += other.failures
        self.peak_mb = max(self.peak_mb, other.peak_mb)


def main() -> None:
    """Judge as many files as asked for, and say how it went."""
    parser = argparse.ArgumentParser(prog="python -m fuzz.headers", description=__doc__)
    parser.add_argument("--count", type=int, default=100_000, help="files to judge")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parsed = parser.parse_args()
    started = time.perf_counter()
    tally = run(parsed.count, seed=parsed.seed, jobs=parsed.jobs)
    sys.stdout.writelines(f"{line}\n" for line in report(tally, time.perf_counter() - started))
    for path in write_reproducers(tally):
        sys.stdout.write(f"reproducer: {path}\n")
    sys.exit(1 if tally.failures or tally.peak_mb > MAX_PEAK_MB else 0)


def run(count: int, *, seed: int, jobs: int) -> Tally:
    """Judge `count` files of a seed."""
    chunks = [
        (seed, number, min(CHUNK, count - number * CHUNK)) for number in range(-(-count // CHUNK))
    ]
    tally = Tally()
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        for part in pool.imap_unordered(judge_chunk, chunks):
            tally.add(part)
    return tally


def judge_chunk(chunk: tuple[int, int, int]) -> Tally:
    """Judge the files of one chunk: seed, number of the chunk, how many files."""
    seed, number, count = chunk
    random = Random(f"{seed}:{number}")  # noqa: S311 - mutations, not secrets
    tally = Tally()
    for _ in range(count):
        judge_one(mutated_file(random), tally)
    tally.peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    return tally


def judge_one(content: bytes, tally: Tally) -> None:
    """Judge one file, whatever its parser does."""
    tally.counts["judged"] += 1
    try:
        outcome = judge(content)
    except Exception:
        tally.failures.append((content, traceback.format_exc(limit=-3)))
        return
    tally.counts["accepted" if outcome.accepted else "refused"] += 1
    tally.rules.update({found.rule for found in outcome.problems})
    if outcome.difference is not None:
        tally.differences[outcome.difference] += 1
    if outcome.complaint is not None:
        tally.failures.append((content, outcome.complaint))


def report(tally: Tally, seconds: float) -> Iterator[str]:
    """The lines that say how it went."""
    for what in ("judged", "accepted", "refused"):
        yield f"{what:38} {tally.counts[what]:>10,}"
    for difference in DIFFERENCES:
        count = tally.differences[difference.name]
        yield f"{'  of these by us alone':38} {count:>10,}  {difference.name}"
    for rule, count in tally.rules.most_common():
        yield f"  {rule:36} {count:>10,}"
    yield f"{'undocumented differences, other errors':38} {len(tally.failures):>10,}"
    yield f"{'peak memory of a process':38} {tally.peak_mb:>7,.0f} MB  (at most {MAX_PEAK_MB})"
    yield f"{'time':38} {seconds:>8,.0f} s"


def write_reproducers(tally: Tally, *, most: int = 20) -> Iterator[Path]:
    """Write the files that must not be, each with the reason beside it."""
    if not tally.failures:
        return
    folder = Path(mkdtemp(prefix="s1inspect-fuzz-"))
    shortest = sorted(tally.failures, key=lambda failure: len(failure[0]))
    for number, (content, reason) in enumerate(shortest[:most]):
        path = folder / f"{number:02d}.safetensors"
        path.write_bytes(content)
        path.with_suffix(".txt").write_text(reason, encoding="utf-8")
        yield path


if __name__ == "__main__":
    main()
