"""What runs there are in a folder, as a document."""

import msgspec

from inspector.version import __version__


class RunRow(msgspec.Struct, frozen=True, kw_only=True):
    """One run: what it was asked with, when it was begun in UTC, what it has so far.

    `finished` says that its report is there; `command` is what to type to see it or to go on, in
    the folder where it was begun. `done` of `tasks` have a result; null where the run is no plan.
    """

    folder: str
    command: str
    started: str
    finished: bool
    results: int
    bytes: int
    done: int | None = None
    tasks: int | None = None


class RunsDocument(msgspec.Struct, frozen=True, kw_only=True):
    """`s1inspect runs --json`. Of no checkpoint, so without the fields that others share."""

    schema: str
    tool_version: str = __version__
    folder: str
    runs: list[RunRow]
