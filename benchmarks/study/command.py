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
from benchmarks.study.page import Row, row, sections, table, with_sections
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
    setting, seed = parsed.setting, parsed.seed
    chosen = {heading: group for heading, group in job.table.items() if parsed.only in heading}
    started = time.monotonic()
    made: dict[str, str] = {}
    for heading, group in chosen.items():
        text = table(
            [
                line
                for study in group
                if study.repeats.of(setting)
                for line in study_rows(study, job.measures, Shelf(parsed.shelf), setting, seed)
            ]
        )
        print(f"### {heading}\n\n{text}\n", flush=True)
        made[heading] = f"{made_with(setting, seed)}\n\n{text}"
        if parsed.write:
            write_sections(job, setting, made)
    print(f"{time.monotonic() - started:.0f} s, outcomes in {parsed.shelf}", file=sys.stderr)


def write_sections(job: Job, setting: Setting, made: Mapping[str, str]) -> None:
    """Put what was made into the page; other headings of the table keep what they say."""
    page = job.page.read_text(encoding="utf-8")
    content = sections(page, setting) | dict(made)
    ordered = {heading: content[heading] for heading in job.table if heading in content}
    job.page.write_text(with_sections(page, setting, ordered), encoding="utf-8")


def study_rows(
    study: Study, measures: Mapping[str, Measure], shelf: Shelf, setting: Setting, seed: int
) -> list[Row]:
    """The lines of one study."""

    def say(task: Task) -> None:
        print(f"{study.title}, replicate {task.replicate}", file=sys.stderr, flush=True)

    outcome = merged(run_tasks(study.tasks(setting, seed), measures, shelf, say))
    return [row(study.title, figure, figure.read(outcome)) for figure in study.figures]


def made_with(setting: Setting, seed: int) -> str:
    """The sentence that says how a table came about."""
    commit = _git("rev-parse", "--short=12", "HEAD")
    changed = " with changes" if _git("status", "--short", "--", *CODE) else ""
    return f"Setting {setting}, seed {seed}, commit `{commit}`{changed}."


def _git(*arguments: str) -> str:
    return subprocess.check_output(["git", *arguments], cwd=ROOT, text=True).strip()
