"""The view of a listing: collapsed groups and totals for people, every row for programs."""

from collections.abc import Iterable, Sequence

from inspector.analysis.listing import (
    Bucket,
    Grouping,
    Listing,
    ListingDocument,
    buckets,
    collapse,
)
from inspector.analysis.report import Cost, Model
from inspector.catalog.names import Rows
from inspector.errors import Problem
from inspector.render.document import render_json
from inspector.render.tables import Column, Table
from inspector.render.text import counted, decimal_bytes, short_count
from inspector.render.view import View

_SIZE = Column("bytes", right=True, show=decimal_bytes)
_PARAMETERS = Column("parameters", right=True, show=short_count)
_ROW_COLUMNS = (
    Column("name"),
    Column("dtype"),
    Column("shape"),
    Column("count", right=True),
    Column("bytes", right=True),
    Column("shard"),
    Column("start", right=True),
    Column("stop", right=True),
)


def listing_view(
    listing: Listing,
    model: Model,
    cost: Cost,
    findings: Sequence[Problem],
    *,
    by: Grouping | None,
    flat: bool,
    limit: int | None,
) -> View:
    """The view of a listing; `by` and `flat` say which tables people see."""
    shown = listing.rows if limit is None else listing.rows[:limit]

    def document() -> Iterable[str]:
        head = ListingDocument(
            schema="s1inspect/list-tensors/1",
            model=model,
            cost=cost,
            findings=list(findings),
            totals=listing.totals,
            tensors=[],
        )
        return render_json(head, listing.catalog.rows(shown))

    def tables() -> list[Table]:
        if by is not None:
            return [_bucket_table(buckets(listing, by), by, limit)]
        if flat:
            return [_shown_table(listing, shown)]
        return [_group_table(listing, limit), _dtype_table(listing)]

    def rows() -> Table:
        return (
            _flat_table(listing, shown)
            if by is None
            else _bucket_table(buckets(listing, by), by, limit)
        )

    return View(
        headline=_headline(listing, model),
        tables=tables,
        rows=rows,
        names=lambda: listing.catalog.texts(shown),
        document=lambda: iter(document()),
        footer=_footer(listing, shown),
    )


def _headline(listing: Listing, model: Model) -> str:
    totals = listing.totals
    of = "" if totals.tensors == len(listing.catalog) else f" of {len(listing.catalog):,}"
    return (
        f"{model.location}: {totals.tensors:,}{of} tensors in {counted(model.files, 'file')}, "
        f"{short_count(totals.parameters)} parameters, {decimal_bytes(totals.bytes)}"
    )


def _footer(listing: Listing, shown: Rows) -> Sequence[str]:
    hidden = len(listing.rows) - len(shown)
    return (f"{counted(hidden, 'more tensor')} not shown (--limit)",) if hidden else ()


def _flat_table(listing: Listing, rows: Rows) -> Table:
    return Table(
        _ROW_COLUMNS,
        (
            (
                row.name,
                str(row.dtype),
                row.shape,
                row.count,
                row.bytes,
                row.shard,
                row.start,
                row.stop,
            )
            for row in listing.catalog.rows(rows)
        ),
    )


def _shown_table(listing: Listing, rows: Rows) -> Table:
    """One row a tensor for people: what it is, without the place that programs ask for."""
    columns = (Column("name", nest=True), Column("dtype"), Column("shape"), _SIZE)
    return Table(
        columns,
        ((row.name, str(row.dtype), row.shape, row.bytes) for row in listing.catalog.rows(rows)),
    )


def _group_table(listing: Listing, limit: int | None) -> Table:
    groups = collapse(listing)[:limit]
    columns = (
        Column("tensor", nest=True), Column("dtype"), Column("shape"),
        Column("tensors", right=True), _SIZE,
    )  # fmt: skip
    rows = [
        (
            group.name,
            group.dtype,
            group.shape,
            f"x{group.tensors:,}"
            + (f" of {group.expected:,}" if group.tensors < group.expected else ""),
            group.bytes,
        )
        for group in groups
    ]
    return Table(columns, rows)


def _dtype_table(listing: Listing) -> Table:
    columns = (
        Column("dtype"), Column("tensors", right=True),
        Column("count", right=True, show=short_count), _SIZE,
    )  # fmt: skip
    rows = [
        (dtype, total.tensors, total.count, total.bytes)
        for dtype, total in listing.totals.by_dtype.items()
    ]
    return Table(columns, rows)


def _bucket_table(found: Sequence[Bucket], by: Grouping, limit: int | None) -> Table:
    columns = (Column(str(by)), Column("tensors", right=True), _PARAMETERS, _SIZE)
    rows = [(one.key, one.tensors, one.parameters, one.bytes) for one in found[:limit]]
    return Table(columns, rows)
