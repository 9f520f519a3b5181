"""`python -m fuzz.audit --count 2000`: faults planted in checkpoints of every scheme, by a seed.

Fails where an audit does not find each planted fault once and nothing else. The same seed and count
draw the same checkpoints on any number of processes.
"""

import argparse
import multiprocessing
import os
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.analysis.quant.planting import draw


@dataclass(slots=True)
class Tally:
    """What happened to some checkpoints; `failures` are those judged wrongly, and how."""

    counts: Counter[str] = field(default_factory=Counter)
    schemes: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def add(self, other: "Tally") -> None:
        """Take over what another tally counted."""
        self.counts += other.counts
        self.schemes += other.schemes
        self.failures += other.failures


def main() -> None:
    """Judge as many checkpoints as asked for, and say how it went."""
    parser = argparse.ArgumentParser(prog="python -m fuzz.audit", description=__doc__)
    parser.add_argument("--count", type=int, default=200, help="checkpoints to draw")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parsed = parser.parse_args()
    started = time.perf_counter()
    tally = run(parsed.count, seed=parsed.seed, jobs=parsed.jobs)
    sys.stdout.writelines(f"{line}\n" for line in report(tally, time.perf_counter() - started))
    sys.exit(1 if tally.failures else 0)


def run(count: int, *, seed: int, jobs: int) -> Tally:
    """Judge `count` checkpoints of a seed."""
    seeds = [f"{seed}:{number}" for number in range(count)]
    tally = Tally()
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        for part in pool.imap_unordered(judge, seeds, chunksize=4):
            tally.add(part)
    return tally


def judge(seed: str) -> Tally:
    """Judge one checkpoint, whatever the audit does."""
    tally = Tally(Counter(checkpoints=1))
    try:
        found = draw(seed)
    except Exception:
        tally.failures.append(f"{seed}: {traceback.format_exc(limit=-3)}")
        return tally
    tally.schemes[found.scheme] += 1
    tally.counts["sound"] += not found.planted
    tally.counts.update(found.planted)
    if not found.is_right:
        planted, reported = Counter(found.planted), Counter(found.found)
        missed, wrong = sorted((planted - reported).elements()), sorted(reported - planted)
        told = f"not found: {missed}, not planted: {wrong}, of {list(found.planted)}"
        tally.failures.append(f"{seed}: {found.scheme}: {told}")
    return tally


def report(tally: Tally, seconds: float) -> Iterator[str]:
    """The lines that say how it went."""
    yield f"{'checkpoints':38} {tally.counts.pop('checkpoints', 0):>10,}"
    yield f"{'  of these without a fault':38} {tally.counts.pop('sound', 0):>10,}"
    yield f"{'schemes':38} {len(tally.schemes):>10,}"
    for rule, count in tally.counts.most_common():
        yield f"  {rule:36} {count:>10,}"
    yield f"{'judged wrongly':38} {len(tally.failures):>10,}"
    yield f"{'time':38} {seconds:>8,.0f} s"
    yield from tally.failures


if __name__ == "__main__":
    main()
