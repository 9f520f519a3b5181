"""What a command would read, before it reads it."""

import msgspec

from inspector.analysis.report import Document


class PlannedReads(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of thing to be read. `is_estimate` where the bytes are known when it is read."""

    what: str
    requests: int
    bytes: int
    is_estimate: bool = False


class PlanTotals(msgspec.Struct, frozen=True, kw_only=True):
    """All of it."""

    requests: int
    bytes: int


class PlanDocument(Document, frozen=True, kw_only=True):
    """`--plan --json` of any command; `command` is its name, `cost` what making the plan took."""

    command: str
    totals: PlanTotals
    reads: list[PlannedReads]


def totals_of(reads: list[PlannedReads]) -> PlanTotals:
    """The sums."""
    return PlanTotals(
        requests=sum(one.requests for one in reads), bytes=sum(one.bytes for one in reads)
    )
