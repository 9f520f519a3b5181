"""All files of a model whose listings end at a length without saying so. Pure: `ask` asks."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from inspector.source.modelscope_api import Entry

TOP: Final = ""
"""A model's own folder, as listings call it."""


@dataclass(frozen=True, slots=True)
class Listing:
    """Files by path, and the folders of which more may be there than was listed."""

    files: dict[str, Entry]
    cut: frozenset[str]

    def may_hold(self, path: str) -> bool:
        """Whether a file that is not listed may be there all the same."""
        above = {
            TOP if str(folder) == "." else str(folder) for folder in PurePosixPath(path).parents
        }
        return not above.isdisjoint(self.cut)


def list_whole(
    ask: Callable[[str, bool], list[Entry]], *, most_listed: int, most_listings: int
) -> Listing:
    """Every file that can be listed, in one question where one will do.

    Args:
        ask: gives what is below a folder, or directly in it where the second argument is false.
        most_listed: a listing of this length may have been cut off.
        most_listings: questions after which the folders that are left count as cut off.
    """
    files: dict[str, Entry] = {}
    cut: set[str] = set()
    waiting = [TOP]
    asked = 0
    while waiting:
        folder = waiting.pop()
        if asked >= most_listings:
            cut.add(folder)
            continue
        below = ask(folder, True)  # noqa: FBT003  a callable has no keywords
        asked += 1
        if len(below) >= most_listed:
            directly = ask(folder, False)  # noqa: FBT003
            asked += 1
            if len(directly) >= most_listed:
                cut.add(folder)
            waiting += [entry.path for entry in directly if entry.is_folder]
            below += directly
        files |= {entry.path: entry for entry in below if not entry.is_folder}
    return Listing(files, frozenset(cut))
