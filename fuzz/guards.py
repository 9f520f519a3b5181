"""`python -m fuzz.guards`: take each guard out of the product and see that a test notices.

Each guard is a small edit of one file. It is made in a copy of the tree, and the tests that protect
the guard must fail there; without an edit they must pass. Fails where a guard could be taken out
unseen, or where an edit no longer fits the source.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Final

from fuzz.guard_table import GUARDS, Guard

ROOT: Final = Path(__file__).resolve().parents[1]
COPIED: Final = ("inspector", "tests", "sample_shards", "fuzz", "docs", "pyproject.toml")
SECONDS: Final = 180
"""A test that hangs without its guard has noticed, too."""

_FAILED: Final = 1
"""pytest's exit code where tests ran and some failed; others mean that they did not run."""


class Outcome(StrEnum):
    """What became of the tests of a guard that was taken out."""

    KILLED = "killed"
    SURVIVED = "SURVIVED"
    NOT_RUN = "NOT RUN"
    NO_LONGER_FITS = "NO LONGER FITS"


def main() -> None:
    """Take out the guards that were named, or all, one at a time."""
    parser = argparse.ArgumentParser(prog="python -m fuzz.guards", description=__doc__)
    parser.add_argument("words", nargs="*", help="only guards whose names hold one of these")
    words = parser.parse_args().words
    chosen = [guard for guard in GUARDS if not words or any(word in guard.name for word in words)]
    with tempfile.TemporaryDirectory(prefix="guards-") as folder:
        tree = _copied(Path(folder))
        code = _test(tree, {test for guard in chosen for test in guard.tests})
        if code:
            sys.exit(f"the tests fail before any guard is taken out (pytest ended with {code})")
        outcomes = [_report(tree, guard) for guard in chosen]
    killed = outcomes.count(Outcome.KILLED)
    sys.stdout.write(f"{killed} of {len(outcomes)} guards are missed by a test when gone\n")
    sys.exit(0 if killed == len(outcomes) else 1)


def edited(guard: Guard, root: Path = ROOT) -> str | None:
    """The source without a guard, or None where its text is not there exactly once."""
    source = (root / guard.file).read_text()
    return source.replace(guard.text, guard.without) if source.count(guard.text) == 1 else None


def _copied(folder: Path) -> Path:
    for name in COPIED:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, folder / name, ignore=ignored)
        else:
            shutil.copy2(ROOT / name, folder / name)
    return folder


def _report(tree: Path, guard: Guard) -> Outcome:
    started = time.perf_counter()
    outcome = _outcome(tree, guard)
    seconds = time.perf_counter() - started
    sys.stdout.write(f"{outcome:14} {seconds:5.1f} s  {guard.file}: {guard.name}\n")
    sys.stdout.flush()
    return outcome


def _outcome(tree: Path, guard: Guard) -> Outcome:
    source = edited(guard, tree)
    if source is None:
        return Outcome.NO_LONGER_FITS
    path = tree / guard.file
    before = path.read_text()
    path.write_text(source)
    try:
        code = _test(tree, guard.tests)
    finally:
        path.write_text(before)
    if code in (0, _FAILED):
        return Outcome.KILLED if code else Outcome.SURVIVED
    return Outcome.NOT_RUN


def _test(tree: Path, tests: Iterable[str]) -> int:
    """The exit code of pytest for some tests, as if one failed where they take too long."""
    options = ("-q", "-x", "-n0", "-p", "no:cacheprovider")
    command = [sys.executable, "-m", "pytest", *options, *sorted(tests)]
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(tree)}
    try:
        done = subprocess.run(  # noqa: S603  the table's tests
            command, cwd=tree, env=environment, capture_output=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return _FAILED
    return done.returncode


if __name__ == "__main__":
    main()
