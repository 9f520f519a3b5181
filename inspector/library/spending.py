"""What one question has cost: the difference that it makes to the ledgers it reads through."""

import time
from collections.abc import Sequence

from inspector.analysis.report import Cost
from inspector.source.base import Ledger


class Spending:
    """Counts from when it is made; ledgers that are one count once."""

    def __init__(self, ledgers: Sequence[Ledger]) -> None:
        self._ledgers = list({id(ledger): ledger for ledger in ledgers}.values())
        self._before = self._now()
        self._started = time.perf_counter()

    @property
    def cost(self) -> Cost:
        """What was read since."""
        requests, read, cached = (
            now - before for now, before in zip(self._now(), self._before, strict=True)
        )
        return Cost(
            requests=requests,
            bytes=read,
            seconds=round(time.perf_counter() - self._started, 3),
            cached_bytes=cached,
        )

    def _now(self) -> tuple[int, int, int]:
        return (
            sum(one.requests for one in self._ledgers),
            sum(one.bytes for one in self._ledgers),
            sum(one.cached_bytes for one in self._ledgers),
        )
