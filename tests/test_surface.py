"""What the package shows: its errors, its commands and their help."""

import inspect
import re
import subprocess
import sys

import pytest
import typer

from inspector import errors
from inspector.checkpoint import policy
from inspector.cli import options
from inspector.cli.app import app
from inspector.version import __version__

COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]  # it is a group

EXCEPTIONS = {
    name: kind
    for name, kind in vars(errors).items()
    if inspect.isclass(kind) and issubclass(kind, Exception) and kind.__module__ == errors.__name__
}


def tree() -> list[tuple[int, str]]:
    """Depth and name of every line of the tree in the docstring."""
    text = errors.__doc__ or ""
    found = re.findall(r"^((?:│   |    )*)(?:[├└]── )?([A-Z]\w+)(?: .*)?$", text, re.MULTILINE)
    start = next(i for i, (_, name) in enumerate(found) if name == "InspectorError")
    return [(len(indent) // 4, name) for indent, name in found[start:]]


def test_every_exception_is_in_the_tree_and_the_tree_has_no_other() -> None:
    names = [name for _, name in tree()]
    assert len(names) == len(set(names))
    assert set(names) == set(EXCEPTIONS)


def test_the_tree_shows_who_descends_from_whom() -> None:
    above: list[str] = []
    for depth, name in tree()[1:]:
        above[depth:] = [name]
        parent = above[depth - 1] if depth else "InspectorError"
        assert [base.__name__ for base in EXCEPTIONS[name].__bases__] == [parent], name


@pytest.mark.parametrize("name", EXCEPTIONS)
def test_every_exception_says_what_it_is_for(name: str) -> None:
    assert (EXCEPTIONS[name].__doc__ or "").strip().endswith(".")


def test_the_module_says_its_version() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "inspector", "--version"],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert done.stdout == f"s1inspect {__version__}\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_has_a_sentence_and_an_example(name: str) -> None:
    command = COMMANDS[name]
    assert command.help.rstrip().endswith(".")
    assert command.help[0].isupper()
    assert f"`s1inspect {name} " in command.epilog


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_of_a_command_has_help_that_ends_with_a_stop(name: str) -> None:
    options = [one for one in COMMANDS[name].params if getattr(one, "help", None) is not None]
    assert len(options) == len([one for one in COMMANDS[name].params if one.name != "help"])
    assert all(one.help.endswith(".") for one in options)


def test_commands_are_named_with_dashes() -> None:
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", name) for name in COMMANDS)


def test_the_default_of_jobs_is_that_of_the_policy() -> None:
    assert options.DEFAULT_JOBS == policy.DEFAULT_JOBS
