"""The view of a plan: what would be read, in how many requests and bytes, and how long it takes."""

from collections.abc import Sequence

from inspector.analysis.plan import (
    Pace,
    PlanDocument,
    PlannedOption,
    PlanTime,
    PlanTotals,
    totals_of,
)
from inspector.render.document import render_json
from inspector.render.tables import Column, Table
from inspector.render.text import counted, decimal_bytes
from inspector.render.view import View


def plan_view(document: PlanDocument) -> View:
    """The view of what a command would read."""
    reads = document.reads

    def table(size: Column) -> Table:
        columns = (Column("what"), Column("requests", right=True), size)
        return Table(columns, [(one.what, one.requests, one.bytes) for one in reads])

    def tables() -> list[Table]:
        found = [table(Column("bytes", right=True, show=decimal_bytes))]
        if document.options:
            found.append(_option_table(document.options))
        return found

    return View(
        headline=_headline(document),
        tables=tables,
        rows=lambda: table(Column("bytes", right=True)),
        names=lambda: (one.what for one in reads),
        document=lambda: render_json(document),
        footer=_notes(document),
    )


def _headline(document: PlanDocument) -> str:
    reads, where = document.reads, document.model.location
    certain = [one for one in reads if not one.is_bound]
    about = "about " if any(one.is_estimate for one in certain) else ""
    at_most = f", at most {_size(document.totals)}," if len(certain) < len(reads) else ""
    return f"{document.command} would take {about}{_size(totals_of(certain))}{at_most} of {where}"


def _size(totals: PlanTotals) -> str:
    return f"{counted(totals.requests, 'request')} and {decimal_bytes(totals.bytes)}"


def _notes(document: PlanDocument) -> tuple[str, ...]:
    time = document.time
    notes = [f"over a network ({_pace(time.pace)}): {_seconds(time)}"]
    allowed = document.allowed_bytes
    chosen = next((one for one in document.options if one.is_chosen), None)
    if allowed is not None and chosen is not None:
        missing = "" if chosen.bytes <= allowed else ": --max-bytes must allow more"
        notes.append(f"{decimal_bytes(allowed)} of experts may be read{missing}")
    return tuple(notes)


def _pace(pace: Pace) -> str:
    return (
        f"{1000 * pace.round_trip_seconds:g} ms a request, {pace.connections} connections, "
        f"{pace.bits_a_second / 10**9:g} Gbit/s"
    )


def _seconds(time: PlanTime) -> str:
    more = f", at most {time.seconds_at_most:,.1f} s" if time.seconds_at_most > time.seconds else ""
    return f"{time.seconds:,.1f} s{more}"


def _option_table(options: Sequence[PlannedOption]) -> Table:
    columns = (
        Column("way to read"),
        Column("requests", right=True),
        Column("bytes", right=True, show=decimal_bytes),
        Column("of both", right=True, show=lambda share: f"{100 * share:.2g} %"),
        Column(""),
    )
    rows = [
        (one.what, one.requests, one.bytes, one.share, "taken" if one.is_chosen else None)
        for one in options
    ]
    return Table(columns, rows)
