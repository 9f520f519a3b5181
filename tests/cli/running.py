"""Running the command line: in this process for what it says, in another for how it ends."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from typer.testing import CliRunner, Result

from inspector.cli.app import app

ROOT: Final = Path(__file__).resolve().parents[2]
SAMPLES: Final = ROOT / "sample_shards"
S1: Final = str(SAMPLES / "s1-pro-mini")
QWEN3: Final = str(SAMPLES / "qwen3-mini")
FUSED: Final = str(SAMPLES / "qwen3-vl-mini")

PROGRAM: Final = (sys.executable, "-m", "inspector")


def invoke(*arguments: str) -> Result:
    """Run in this process, stdout and stderr apart."""
    return CliRunner().invoke(app, list(arguments), prog_name="s1inspect")


def answer(*arguments: str) -> str:
    """The stdout of a command that must answer."""
    result = invoke(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def environment(home: Path, **extra: str) -> dict[str, str]:
    """A clean environment, whose caches and tokens lie below `home`."""
    names = ("PATH", "LANG", "TMPDIR", "OPENBLAS_NUM_THREADS")
    kept = {name: os.environ[name] for name in names if name in os.environ}
    return {**kept, "HOME": str(home), "PYTHONPATH": str(ROOT), **extra}


def start(
    *arguments: str, home: Path, cwd: Path = ROOT, env: Mapping[str, str] | None = None
) -> subprocess.Popen[str]:
    """Start the program in a process of its own."""
    return subprocess.Popen(  # noqa: S603  our own program
        [*PROGRAM, *arguments], cwd=cwd, env=environment(home, **(env or {})),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def run(
    *arguments: str, home: Path, cwd: Path = ROOT, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the program in a process of its own."""
    with start(*arguments, home=home, cwd=cwd, env=env) as process:
        out, err = process.communicate(timeout=60)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)
