"""How another process opens a checkpoint by itself: what and how to read, never with what right.

Rights stay where they are: a token or a bucket's credentials are each process's own.
"""

import threading
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from inspector.errors import ObjectNotFound, SourceChanged, UsageError
from inspector.source.access import Access
from inspector.source.base import Ledger, Source
from inspector.source.environment import is_offline
from inspector.source.resolve import Kind, Location, open_source, parse_location
from inspector.source.shelf import open_shelf
from inspector.version import __version__


@dataclass(frozen=True, slots=True)
class Recipe:
    """One checkpoint at one commit, where there are commits, and how to read it."""

    location: Location
    jobs: int
    offline: bool = False
    no_cache: bool = False
    tool_version: str = __version__


@dataclass(frozen=True, slots=True)
class Mark:
    """A file of no commit as it was when the work was planned."""

    path: str
    size: int
    stamp: str | None


@dataclass(frozen=True, slots=True)
class TaskInput:
    """What a task reads: how it is opened, and the files of it that must be as they were."""

    recipe: Recipe
    marks: tuple[Mark, ...] = ()


def recipe_of(
    text: str, revision: str | None, source: Source, jobs: int, *, offline: bool, no_cache: bool
) -> Recipe:
    """The recipe of a checkpoint that is open here, at the commit that it is open at."""
    found = parse_location(text, revision=revision)
    if found.kind is Kind.LOCAL:
        found = replace(found, base=str(Path(found.base).absolute()))
    else:
        found = replace(found, revision=source.commit)
    return Recipe(found, jobs, offline=offline, no_cache=no_cache)


def check_sendable(recipe: Recipe) -> None:
    """Refuse to send a location that is itself a right.

    Raises:
        UsageError: a signed URL.
    """
    if "?" in recipe.location.base:
        raise UsageError(
            f"{recipe.location.base.partition('?')[0]}: a signed URL is a credential, and is not "
            "sent to workers",
            hint="name the bucket or the repository, which workers open with their own credentials",
        )


def marks_of(source: Source, paths: Iterable[str]) -> tuple[Mark, ...]:
    """The files as they are now; none where a commit says so of all."""
    if source.commit is not None:
        return ()
    ordered = sorted(set(paths))
    return tuple(Mark(path, source.size(path), source.stamp(path)) for path in ordered)


class OpenSources:
    """Sources by recipe, opened once a process. What they read is counted in `ledger`."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self._lock = threading.Lock()
        self._sources: dict[Recipe, Source] = {}
        self._checked: set[tuple[Recipe, Mark]] = set()

    def open(self, wanted: TaskInput) -> Source:
        """The source of an input.

        Raises:
            UsageError: this process is of another version than the one that planned the work.
            SourceError: it cannot be opened here.
            SourceChanged: a file is not as it was when the work was planned.
        """
        recipe = wanted.recipe
        with self._lock:
            source = self._sources.get(recipe)
            if source is None:
                source = self._sources[recipe] = _opened(recipe, self.ledger)
            self._check(source, recipe, wanted.marks)
            return source

    def _check(self, source: Source, recipe: Recipe, marks: Collection[Mark]) -> None:
        for mark in marks:
            if (recipe, mark) in self._checked:
                continue
            now = Mark(mark.path, source.size(mark.path), source.stamp(mark.path))
            if now != mark:
                raise SourceChanged(
                    f"{source.location}/{mark.path}: {mark.size:,} bytes and stamp {mark.stamp} "
                    f"when the work was planned, {now.size:,} and {now.stamp} for this worker",
                    hint="every worker must read the same files, and nothing may write to them",
                )
            self._checked.add((recipe, mark))


def access_of(recipe: Recipe) -> Access:
    """How this process may reach what a recipe names: as the command may, and by its own rights."""
    shelf = None if recipe.no_cache else open_shelf()
    return Access(offline=recipe.offline or is_offline(), shelf=shelf)


def _opened(recipe: Recipe, ledger: Ledger) -> Source:
    if recipe.tool_version != __version__:
        raise UsageError(
            f"a worker has s1inspect {__version__}, the command is {recipe.tool_version}",
            hint="install one version everywhere",
        )
    location = recipe.location
    if location.kind is Kind.LOCAL and not Path(location.base).is_dir():
        raise ObjectNotFound(f"{location.base}: no such folder")
    return open_source(location, ledger, access_of(recipe))
