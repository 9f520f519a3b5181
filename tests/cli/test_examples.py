"""Every example in the help runs as it is written, from the root of the repository."""

import re
import shlex
from pathlib import Path

import pytest
import typer

from inspector.cli.app import app
from tests.cli.running import QWEN3, ROOT, S1, answer, invoke

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


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the examples of `report` name."""
    folder = tmp_path_factory.mktemp("documents")
    for name, *command in (
        ("audit", "audit", "--sample", "0", "--fail-on", "never"),
        ("compare", "compare", "-r", QWEN3, "--config-only", "--fail-on", "never"),
        (
            "similarity",
            "expert-similarity",
            "-r",
            QWEN3,
            "--experts",
            "0",
            "--out",
            f"{folder}/results",
        ),
    ):
        answer(*command, "-m", S1, "-o", f"{folder}/{name}.json")
    return folder


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_runs(
    example: str, tmp_path: Path, documents: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = re.sub(r"(-o|--out) (\S+)", rf"\1 {tmp_path}/\2", example).removeprefix("s1inspect")
    is_page = command.endswith(".html")
    monkeypatch.chdir(documents if " report " in example else ROOT)
    monkeypatch.setenv("HOME", str(tmp_path))
    done = invoke(*shlex.split(command))
    assert done.exit_code == 0, done.output
    may_be_short = command.split()[0] in ("cache", "check", "runs")
    assert is_page or len(done.stdout.splitlines()) >= (1 if may_be_short else 2)
    assert len(list(tmp_path.glob("*.html"))) == is_page
    assert "Traceback" not in done.stderr
    assert not re.search(r"\d read", done.stdout)
    assert len(list(tmp_path.glob("*.safetensors"))) == ("-o " in example and not is_page)


def test_no_command_shows_the_help() -> None:
    result = invoke()
    assert "Usage: s1inspect" in result.output
    assert all(name in result.output for name in COMMANDS)
