"""The command line of both tables: run what is not on the shelf, print, write the page."""

import argparse
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.study.outcome import merged
from benchmarks.study.page import Row, row, table, with_section
from benchmarks.study.plans import Setting, Study, Table
from benchmarks.study.tasks import Measure, Shelf, Task, run_tasks
from benchmarks.study.versions import ROOT

SHELF: Final = ROOT / "build/study"
CODE: Final = ("inspector", "benchmarks", "tests", "sample_shards")
"""Where a change that is not committed makes the commit say less than it seems to."""


@dataclass(frozen=True, slots=True)
class Job:
    """A table, how its tasks are measured, and the page that shows it."""

    name: str
    table: Table
    measures: Mapping[str, Measure]
    page: Path


def main(job: Job, arguments: Sequence[str] | None = None) -> None:
    """Parse the command line, run the studies, print each table, and write the page if asked."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{job.name}")
    parser.add_argument("--setting", type=Setting, choices=list(Setting), default=Setting.SMALL)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", metavar="TEXT", default="", help="headings that contain this")
    parser.add_argument("--shelf", type=Path, default=SHELF, help="where outcomes are kept")
    parser.add_argument("--write", action="store_true", help=f"put the tables into {job.page.name}")
    parsed = parser.parse_args(arguments)
    if parsed.write and parsed.only:
        parser.error("--write needs the whole table")
    chosen = {heading: group for heading, group in job.table.items() if parsed.only in heading}
    started = time.monotonic()
    shelf = Shelf(parsed.shelf)
    parts = []
    for heading, group in chosen.items():
        wanted = [one for one in group if one.repeats.of(parsed.setting)]
        lines = [
            line
            for one in wanted
            for line in study_rows(one, job.measures, shelf, parsed.setting, parsed.seed)
        ]
        parts.append(f"### {heading}\n\n{table(lines)}")
        print(f"{parts[-1]}\n")
    print(f"{time.monotonic() - started:.0f} s, outcomes in {parsed.shelf}", file=sys.stderr)
    if parsed.write:
        origin = made_with(job, parsed.setting, parsed.seed)
        page = job.page.read_text(encoding="utf-8")
        content = "\n\n".join((origin, *parts))
        job.page.write_text(with_section(page, parsed.setting, content), encoding="utf-8")


def study_rows(
    study: Study, measures: Mapping[str, Measure], shelf: Shelf, setting: Setting, seed: int
) -> list[Row]:
    """The lines of one study."""

    def say(task: Task) -> None:
        print(f"{study.title}, replicate {task.replicate}", file=sys.stderr, flush=True)

    outcome = merged(run_tasks(study.tasks(setting, seed), measures, shelf, say))
    return [row(study.title, figure, figure.read(outcome)) for figure in study.figures]


def made_with(job: Job, setting: Setting, seed: int) -> str:
    """The sentence that says how a table came about."""
    commit = _git("rev-parse", "--short=12", "HEAD")
    changed = " with changes" if _git("status", "--short", "--", *CODE) else ""
    command = f"python -m benchmarks.{job.name} --setting {setting} --seed {seed} --write"
    return f"Made by `{command}` at commit `{commit}`{changed}."


def _git(*arguments: str) -> str:
    return subprocess.check_output(["git", *arguments], cwd=ROOT, text=True).strip()
