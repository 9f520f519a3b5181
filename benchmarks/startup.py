"""How long `--help` and `--version` take, beside `hf --help` and a typer app that does nothing."""

import sys
import sysconfig
import tempfile
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks.table import megabytes, milliseconds, print_table, print_targets
from benchmarks.timing import run_process, time_processes

ROUNDS: Final = 16

EMPTY_APP: Final = '''
import typer

app = typer.Typer()


@app.command()
def hello(name: str = "world") -> None:
    """Say nothing."""


app()
'''


def main(rounds: int = ROUNDS) -> None:
    """Time the four commands in turns."""
    scripts = Path(sysconfig.get_path("scripts"))
    with tempfile.TemporaryDirectory() as folder:
        empty = Path(folder) / "empty.py"
        empty.write_text(EMPTY_APP)
        commands = {
            "s1inspect --help": [str(scripts / "s1inspect"), "--help"],
            "s1inspect --version": [str(scripts / "s1inspect"), "--version"],
            "hf --help": [str(scripts / "hf"), "--help"],
            "empty typer app --help": [sys.executable, str(empty), "--help"],
            "python -c pass": [sys.executable, "-c", "pass"],
        }
        found = time_processes(
            {name: partial(run_process, command) for name, command in commands.items()},
            rounds=rounds,
        )
    ours = found["s1inspect --help"].wall
    rows = [
        (
            name, milliseconds(runs.wall.cold), milliseconds(runs.wall.minimum),
            milliseconds(runs.wall.median), megabytes(runs.peak_rss),
            f"{runs.wall.over(ours):.2f}",
        )
        for name, runs in found.items()
    ]  # fmt: skip
    columns = ("", "first", "minimum", "median", "peak RSS", "x s1inspect --help")
    print_table(f"startup: whole processes, {rounds} rounds", columns, rows)
    targets = []
    for name in ("s1inspect --help", "s1inspect --version"):
        wall = found[name].wall
        targets.append((f"{name}: of hf --help", wall.over(found["hf --help"].wall), "<= 0.333"))
        empty_wall = found["empty typer app --help"].wall
        targets.append((f"{name}: of the empty typer app", wall.over(empty_wall), "<= 1.5"))
    print_targets(targets)
