"""The folder of a run: what it is a run of, and one file for each result, whole or not there."""

import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from inspector.errors import OutputError, UsageError
from inspector.run.identity import Identity
from inspector.source.replacing import is_unfinished, replacing

RUN_FILE: Final = "run.json"

PLAN_FILE: Final = "plan.json"
"""How many tasks a run has, where it is a plan of tasks."""

TASKS: Final = "tasks"
"""The folder of their results."""

_LEFTOVER_SECONDS: Final = 3600.0
"""No result takes as long to write."""


class RunFacts(msgspec.Struct, frozen=True, kw_only=True):
    """`run.json`: what the results depend on, how, where and when it was asked for."""

    identity: Identity
    arguments: list[str]
    started: str
    directory: str = ""


class RunFolder:
    """Results by name. A run that was killed finds those that were complete.

    `found` counts readings of results that were there before, `made` those that were kept now.
    """

    def __init__(self, path: Path, facts: RunFacts) -> None:
        self.path = path
        self.facts = facts
        self.found = 0
        self._made: set[str] = set()

    @property
    def made(self) -> int:
        return len(self._made)

    def load(self, name: str) -> bytes | None:
        """A result, or None where it is still to be made."""
        try:
            content = (self.path / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise OutputError(f"{self.path / name}: cannot be read: {error.strerror}") from error
        self.found += name not in self._made
        return content

    def save(self, name: str, content: bytes) -> None:
        """Keep a result.

        Raises:
            OutputError: it cannot be written; nothing is left behind.
        """
        _write(self.path / name, content)
        self._made.add(name)

    def results(self) -> list[Path]:
        """The files of all results, relative to the folder, by name."""
        files = (path for path in self.path.rglob("*") if path.is_file())
        inside = (path.relative_to(self.path) for path in files)
        facts = RUN_FILE, PLAN_FILE
        return sorted(path for path in inside if path.name[0] != "." and str(path) not in facts)

    def keep_plan(self, tasks: int) -> None:
        """Say how many tasks there are, so that others can tell how far the run is."""
        if not (self.path / PLAN_FILE).exists():
            _write(self.path / PLAN_FILE, msgspec.json.encode({"tasks": tasks}))

    def planned(self) -> int | None:
        """How many tasks there are; None where they are not known, or the run is no plan."""
        try:
            content = (self.path / PLAN_FILE).read_bytes()
            return msgspec.json.decode(content, type=dict[str, int]).get("tasks")
        except (OSError, msgspec.MsgspecError):
            return None


def open_run(path: Path, identity: Identity, arguments: Sequence[str]) -> RunFolder:
    """The folder of a run: a new one, or one of the same identity that goes on.

    Raises:
        UsageError: there is a folder of another run, or one that is no run's.
        OutputError: it cannot be written.
    """
    facts = read_facts(path)
    if facts is None:
        if path.is_dir() and not all(is_unfinished(one, RUN_FILE) for one in path.iterdir()):
            raise UsageError(
                f"{path}: has files, and is no run's folder", hint="name a new or an empty folder"
            )
        started = datetime.now(UTC).isoformat(timespec="seconds")
        facts = RunFacts(
            identity=identity,
            arguments=list(arguments),
            started=started,
            directory=str(Path.cwd()),
        )
        _write(path / RUN_FILE, msgspec.json.format(msgspec.json.encode(facts), indent=1))
        return RunFolder(path, facts)
    difference = identity.difference(facts.identity)
    if difference is not None:
        raise UsageError(
            f"{path}: results of another run: {difference}",
            hint="name another folder, or ask as before: s1inspect " + " ".join(facts.arguments),
        )
    _remove_leftovers(path)
    return RunFolder(path, facts)


def read_facts(path: Path) -> RunFacts | None:
    """What a folder is a run of; None where it is no run's.

    Raises:
        UsageError: its `run.json` cannot be understood.
    """
    try:
        content = (path / RUN_FILE).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        return msgspec.json.decode(content, type=RunFacts)
    except msgspec.MsgspecError as error:
        raise UsageError(f"{path / RUN_FILE}: not of a run: {error}") from error


def _remove_leftovers(path: Path) -> None:
    """Remove what killed writers left long ago; a younger one may still be at work."""
    before = time.time() - _LEFTOVER_SECONDS
    for leftover in path.rglob(".*"):
        with suppress(FileNotFoundError):
            if leftover.is_file() and leftover.stat().st_mtime < before:
                leftover.unlink()


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path, durable=True, shared=True) as file:
            file.write(content)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror}") from error
