"""A list of problems that does not grow without end, whatever a file is made of."""

from collections.abc import Iterable
from typing import Final

from inspector.errors import Place, Problem
from inspector.format.rules import problem

MAX_FINDINGS: Final = 100_000
"""Kept of one header: of 100 MB of malformed entries there would be ten million, half a kilobyte
each."""


class Findings(list[Problem]):
    """Problems of one header, at most `MAX_FINDINGS`; `is_full` says that there were more."""

    is_full = False

    def add(self, found: Problem) -> None:
        """Keep a problem, if there is room."""
        if len(self) < MAX_FINDINGS:
            self.append(found)
        else:
            self.is_full = True

    def add_all(self, found: Iterable[Problem]) -> None:
        """Keep problems while there is room; after that no more are made."""
        for one in found:
            self.add(one)
            if self.is_full:
                return

    def say_if_full(self, shard: str) -> None:
        """Add, as the last, that there are more than these."""
        if self.is_full:
            message = "the header has more findings than are kept of one"
            expected, seen = f"at most {MAX_FINDINGS:,}", "more"
            where = Place(shard=shard)
            self.append(problem("findings_left_out", where, message, expected=expected, found=seen))
