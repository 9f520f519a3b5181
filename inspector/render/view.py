"""`View`: a report in the shapes that output formats need; each report has a module for it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from inspector.render.charts import Chart
from inspector.render.tables import Table


@dataclass(frozen=True, slots=True)
class View:
    """A report, ready to be shown.

    `headline` is the answer in one line; `tables` are for people; `rows` is the one flat table for
    TSV, CSV and JSON lines; `names` is what `-q` prints; `document` yields the JSON; `charts` are
    what a page draws before its tables, `drawn` those of them that a terminal draws after them.
    `command` is what to type for the same report again. The callables make their part when it is
    wanted, so that 290,000 rows exist only in the format asked for.
    """

    headline: str
    tables: Callable[[], Sequence[Table]]
    rows: Callable[[], Table]
    names: Callable[[], Iterable[str]]
    document: Callable[[], Iterator[str]]
    footer: Sequence[str] = field(default_factory=tuple)
    charts: Callable[[], Sequence[Chart]] = tuple
    drawn: Callable[[], Sequence[Chart]] = tuple
    command: str | None = None
