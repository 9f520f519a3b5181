"""Command line: `python -m benchmarks [NAME...] [--rounds N]`, without a name all short ones.

Each benchmark is a process of its own: what one imports must not count as another's memory.
"""

import argparse
import importlib
import os
import platform
import subprocess
import sys
from typing import Final

ENVIRONMENTS: Final[dict[str, dict[str, str]]] = {
    "decode": {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    "startup": {},
    "listing": {},
    "requests": {},
    "jobs": {},
    "expert": {},
    "similarity": {},
    "whole": {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    "rehearsal": {},
    "device": {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
}
"""Benchmark -> variables that must be set before anything is imported."""

LONG: Final = frozenset({"rehearsal"})
"""Run only where they are named: they take a quarter of an hour and gigabytes of disk."""


def main() -> None:
    """Run the benchmarks that were named, or all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(ENVIRONMENTS))
    parser.add_argument("--rounds", type=int, metavar="N", help="of each, for a look")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    parsed = parser.parse_args()
    unknown = set(parsed.names) - ENVIRONMENTS.keys()
    if unknown:
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    rounds = [] if parsed.rounds is None else [parsed.rounds]
    if parsed.here:
        importlib.import_module(f"benchmarks.{parsed.names[0]}").main(*rounds)
        return
    print(f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}\n")
    for name in parsed.names or [name for name in ENVIRONMENTS if name not in LONG]:
        command = [sys.executable, "-m", "benchmarks", "--here", name]
        command += [f"--rounds={number}" for number in rounds]
        subprocess.run(command, env=os.environ | ENVIRONMENTS[name], check=True)


if __name__ == "__main__":
    main()
