"""Every example in the help runs as it is written, from the root of the repository."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from inspector.cli.app import app
from tests.cli.running import ROOT, environment, invoke

COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]  # it is a group
EXAMPLES = [
    example for command in COMMANDS.values() for example in re.findall(r"`(.+?)`", command.epilog)
]


def test_every_command_has_help_with_an_example() -> None:
    assert len(COMMANDS) >= 3
    for name in COMMANDS:
        result = invoke(name, "--help")
        assert result.exit_code == 0
        assert "Examples" in result.stdout
        assert f"s1inspect {name}" in result.stdout
        assert invoke(name, "-h").stdout == result.stdout


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_runs(example: str, tmp_path: Path) -> None:
    command = re.sub(r"(-o|--out) (\S+)", rf"\1 {tmp_path}/\2", example).removeprefix("s1inspect")
    done = subprocess.run(  # noqa: S603  our own example
        ["bash", "-c", f"{sys.executable} -m inspector {command}"],  # noqa: S607
        cwd=ROOT, env=environment(tmp_path), capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    may_be_empty = command.split()[0] in ("cache", "check", "runs")
    assert len(done.stdout.splitlines()) >= (1 if may_be_empty else 2)
    assert "Traceback" not in done.stderr
    assert not re.search(r"\d read", done.stdout)
    assert len(list(tmp_path.glob("*.safetensors"))) == ("-o " in example)


def test_no_command_shows_the_help() -> None:
    result = invoke()
    assert "Usage: s1inspect" in result.output
    assert all(name in result.output for name in COMMANDS)
