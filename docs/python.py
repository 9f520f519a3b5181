"""Python blocks of the pages: what they run, what they show, and what really comes out.

A block begins with three backquotes and `pycon`, and reads as an interpreter does: `>>> ` and
`... ` before code, its output below. The blocks of one page are one session, in a folder that has
the samples. A line `...` of output stands for lines left out.
"""

import builtins
import contextlib
import io
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from doctest import DocTestParser
from types import CodeType
from typing import Final

from docs.console import CUT, shortened, workplace

_BLOCK: Final = re.compile(r"^```pycon\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ELLIPSIS: Final = "\u2026"
"""In place of `...` while doctest reads a block: it takes three dots for code that goes on."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a block, and the lines that are shown below it."""

    source: str
    shown: tuple[str, ...]


def statements(text: str) -> list[Statement]:
    """The statements of a page, in order."""
    return [one for match in _BLOCK.finditer(text) for one in _statements_of(match[1])]


def _statements_of(block: str) -> Iterator[Statement]:
    cut = re.sub(r"^\.\.\.$", _ELLIPSIS, block, flags=re.MULTILINE)
    for one in DocTestParser().get_examples(cut):
        lines = one.want.splitlines()
        yield Statement(one.source, tuple(CUT if line == _ELLIPSIS else line for line in lines))


class Session:
    """An interpreter: names stay from one statement to the next."""

    def __init__(self) -> None:
        self._names: dict[str, object] = {"__name__": "__page__"}

    def run(self, statement: Statement) -> list[str]:
        """The lines that a statement writes, its value among them; an error as its last line."""
        out = io.StringIO()
        with contextlib.redirect_stdout(out), _showing():
            try:
                exec(_compiled(statement.source), self._names)  # noqa: S102 - our own pages
            except Exception as error:  # noqa: BLE001, RUF100 - a page may show any
                sys.stdout.write(f"{type(error).__name__}: {error}\n")
        return [line.rstrip() for line in out.getvalue().splitlines()]


def _compiled(source: str) -> CodeType:
    return compile(source, "<page>", "single")


@contextlib.contextmanager
def _showing() -> Iterator[None]:
    """Let values be written as an interpreter does."""

    def show(value: object) -> None:
        if value is not None:
            sys.stdout.write(f"{value!r}\n")
            builtins._ = value  # type: ignore[attr-defined]

    before, sys.displayhook = sys.displayhook, show
    try:
        yield
    finally:
        sys.displayhook = before
        builtins.__dict__.pop("_", None)


@contextlib.contextmanager
def session() -> Iterator[Session]:
    """A session in a folder that has the samples."""
    with workplace() as folder, contextlib.chdir(folder):
        yield Session()


def refreshed_python(text: str) -> str:
    """A page with the output of its statements as it is now."""
    if not _BLOCK.search(text):
        return text
    with session() as running:

        def renew(match: re.Match[str]) -> str:
            lines: list[str] = []
            for statement in _statements_of(match[1]):
                first, *others = statement.source.splitlines()
                lines += [f">>> {first}", *(f"... {line}".rstrip() for line in others)]
                lines += shortened(running.run(statement), statement.shown)
            return "```pycon\n" + "".join(f"{line}\n" for line in lines) + "```"

        return _BLOCK.sub(renew, text)
