"""The view of a plan: what would be read, in how many requests and bytes."""

from collections.abc import Sequence

from inspector.analysis.plan import PlanDocument, PlannedReads, totals_of
from inspector.analysis.report import Cost, Model
from inspector.errors import Problem
from inspector.render.document import render_json
from inspector.render.tables import Column, Table
from inspector.render.text import counted, decimal_bytes
from inspector.render.view import View


def plan_view(
    command: str,
    reads: Sequence[PlannedReads],
    model: Model,
    cost: Cost,
    findings: Sequence[Problem],
) -> View:
    """The view of what `command` would read."""
    document = PlanDocument(
        schema="s1inspect/plan/1",
        model=model,
        cost=cost,
        findings=list(findings),
        command=command,
        totals=totals_of(list(reads)),
        reads=list(reads),
    )
    totals = document.totals
    about = "about " if any(one.is_estimate for one in reads) else ""

    def table(size: Column) -> Table:
        columns = (Column("what"), Column("requests", right=True), size)
        return Table(columns, [(one.what, one.requests, one.bytes) for one in reads])

    return View(
        headline=(
            f"{command} would take {about}{counted(totals.requests, 'request')} and "
            f"{decimal_bytes(totals.bytes)} of {model.location}"
        ),
        tables=lambda: [table(Column("bytes", right=True, show=decimal_bytes))],
        rows=lambda: table(Column("bytes", right=True)),
        names=lambda: (one.what for one in reads),
        document=lambda: render_json(document),
    )
