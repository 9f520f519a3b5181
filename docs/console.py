"""Console blocks of the pages: what they run, what they show, and what really comes out.

A block begins with three backquotes and `console`; a line `$ s1inspect ...` is a command and the
lines below it are its output on a terminal 80 columns wide, none where it does not matter. A line
`...` stands for lines left out: above it are the first lines of the output, below it the last.
"""

import os
import re
import shlex
import subprocess
import sysconfig
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Final

from typer.testing import CliRunner

from inspector.cli.app import app

ROOT: Final = Path(__file__).resolve().parent.parent
CUT: Final = "..."

_BLOCK: Final = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PROGRAM: Final = "$ s1inspect "
_DURATION: Final = re.compile(r"\d+\.\d+ s\b|(?<=\"seconds\":)[\d.e-]+")
_FIXED_OUTPUT: Final = re.compile(r"\||>|--help|--version|--json|--format|(?:^| )-[qfV]\b")
_REPORT_FILE: Final = re.compile(r"^s1inspect (?!dequant\b).* -o ")
_SHELL: Final = re.compile(r"[|><&;$~`]|^(?!s1inspect )")
_ENVIRONMENT: Final = MappingProxyType(
    {
        "COLUMNS": "80",
        "TERM": "dumb",
        "NO_COLOR": "1",
        "PYTHONIOENCODING": "utf-8",
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": ".cache/huggingface",
    }
)
_OF_FILES: Final = ("cache", "report", "runs")
"""Commands that ask of no checkpoint."""


@dataclass(frozen=True, slots=True)
class Example:
    """One command of a block, and the lines that are shown below it."""

    command: str
    shown: tuple[str, ...]

    @property
    def can_run(self) -> bool:
        """Whether it runs anywhere: `s1inspect`, on the samples or on nothing."""
        words = [*self.command.split(), ""]
        network = words[1] not in _OF_FILES and not {"-m", "--help"}.intersection(words)
        return f"$ {self.command} ".startswith(_PROGRAM) and not network


def examples(text: str) -> list[Example]:
    """The commands of a page, in order."""
    return [one for match in _BLOCK.finditer(text) for one in _examples_of(match[1])]


def _examples_of(block: str) -> Iterator[Example]:
    command: str | None = None
    shown: list[str] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            if command is not None:
                yield Example(command, tuple(shown))
            command, shown = line.removeprefix("$ "), []
        else:
            shown.append(line)
    if command is not None:
        yield Example(command, tuple(shown))


@contextmanager
def workplace() -> Iterator[Path]:
    """A folder that has the samples, for the commands of one page."""
    with TemporaryDirectory() as folder:
        (Path(folder) / "sample_shards").symlink_to(ROOT / "sample_shards")
        yield Path(folder)


def run(command: str, folder: Path) -> list[str]:
    """The lines that a command writes, stdout and stderr, as on a terminal of 80 columns.

    Raises:
        RuntimeError: it failed.
    """
    if not _FIXED_OUTPUT.search(command) and not _REPORT_FILE.search(command):
        command += " --format table"
    if not _SHELL.search(command):
        return _run_here(shlex.split(command)[1:], folder)
    path = f"{sysconfig.get_path('scripts')}:{os.environ.get('PATH', '')}"
    done = subprocess.run(  # noqa: S603 - commands of our own pages
        ["sh", "-c", command],  # noqa: S607 - the shell of the machine, for pipes
        cwd=folder, env={**_ENVIRONMENT, "PATH": path}, encoding="utf-8", check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{command}: exit code {done.returncode}\n{done.stdout}")
    return [line.rstrip() for line in done.stdout.splitlines()]


def _run_here(arguments: list[str], folder: Path) -> list[str]:
    """The lines of a command that needs no shell, in this process: starting one takes longer."""
    with chdir(folder):
        done = CliRunner().invoke(app, arguments, prog_name="s1inspect", env=_ENVIRONMENT)
    if done.exit_code:
        raise RuntimeError(f"{arguments}: exit code {done.exit_code}\n{done.output}")
    return [line.rstrip() for line in done.output.splitlines()]


def without_times(line: str) -> str:
    """A line with its durations made equal.

    >>> without_times("11 reads, 105 kB read, 0.1 s")
    '11 reads, 105 kB read, # s'
    """
    return _DURATION.sub("# s", line)


def refreshed(text: str) -> str:
    """A page with the output of its commands as it is now. Durations stay if all else does."""
    with workplace() as folder:

        def renew(match: re.Match[str]) -> str:
            lines = []
            for example in _examples_of(match[1]):
                lines.append(f"$ {example.command}")
                lines += _renewed(example, folder) if example.can_run else example.shown
            return "```console\n" + "".join(f"{line}\n" for line in lines) + "```"

        return _BLOCK.sub(renew, text)


def _renewed(example: Example, folder: Path) -> tuple[str, ...]:
    real = run(example.command, folder)
    return shortened(real, example.shown) if example.shown else ()


def shortened(real: list[str], shown: tuple[str, ...]) -> tuple[str, ...]:
    """Real output, cut where what was shown is cut. Durations stay if all else does."""
    if CUT in shown:
        head = shown.index(CUT)
        tail = len(shown) - head - 1
        if head + tail < len(real):
            real = [*real[:head], CUT, *real[len(real) - tail :]]
    if [without_times(line) for line in real] == [without_times(line) for line in shown]:
        return shown
    return tuple(real)
