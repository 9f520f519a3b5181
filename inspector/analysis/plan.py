"""What a command would read, before it reads it, and how long that would take."""

from collections.abc import Sequence

import msgspec

from inspector.analysis.report import Document


class PlannedReads(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of thing to be read.

    `is_estimate` where the bytes are known when it is read; `is_bound` where it may be less, down
    to nothing.
    """

    what: str
    requests: int
    bytes: int
    is_estimate: bool = False
    is_bound: bool = False


class PlanTotals(msgspec.Struct, frozen=True, kw_only=True):
    """All of it, bounds included."""

    requests: int
    bytes: int


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """A network: how long a request is on its way, how many are at once, how fast bytes come."""

    round_trip_seconds: float = 0.05
    connections: int = 64
    bits_a_second: int = 1_000_000_000

    def seconds(self, reads: Sequence[PlannedReads]) -> float:
        """One kind after another: requests x round trip / connections, or the bytes, if longer.

        >>> found = PlannedReads(what="rows", requests=60_160, bytes=887_095_296)
        >>> round(Pace().seconds([found]))
        47
        """
        return sum(
            max(
                one.requests * self.round_trip_seconds / self.connections,
                8 * one.bytes / self.bits_a_second,
            )
            for one in reads
        )


class PlanTime(msgspec.Struct, frozen=True, kw_only=True):
    """How long reading takes over a network of that pace: without what is a bound, and at most."""

    pace: Pace
    seconds: float
    seconds_at_most: float


class PlannedOption(msgspec.Struct, frozen=True, kw_only=True):
    """A way to answer: what it takes at least, and which share of all bytes that is."""

    what: str
    requests: int
    bytes: int
    share: float
    is_chosen: bool


class PlanDocument(Document, frozen=True, kw_only=True):
    """`--plan --json` of any command; `command` is its name, `cost` what making the plan took.

    `options` are the ways of which one was chosen, where there are several; `allowed_bytes` is what
    may be read by them, after what is read before, where more needs to be asked for.
    """

    command: str
    totals: PlanTotals
    time: PlanTime
    options: list[PlannedOption] = msgspec.field(default_factory=list)
    allowed_bytes: int | None = None
    reads: list[PlannedReads]


def totals_of(reads: Sequence[PlannedReads], allowed: int | None = None) -> PlanTotals:
    """The sums; what is a bound stays within what `allowed` bytes leave for it."""
    certain = sum(one.bytes for one in reads if not one.is_bound)
    total = sum(one.bytes for one in reads)
    if allowed is not None:
        total = min(total, max(certain, allowed))
    return PlanTotals(requests=sum(one.requests for one in reads), bytes=total)


def time_of(reads: Sequence[PlannedReads], pace: Pace) -> PlanTime:
    """The seconds of reads one after another."""
    certain = [one for one in reads if not one.is_bound]
    return PlanTime(
        pace=pace,
        seconds=round(pace.seconds(certain), 1),
        seconds_at_most=round(pace.seconds(reads), 1),
    )
