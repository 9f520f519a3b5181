"""`TensorTable`: the tensors of a checkpoint, or some of them, as a sequence of rows."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, Self, overload

import numpy as np

from inspector.analysis.listing import (
    Bucket,
    Group,
    Grouping,
    Listing,
    Totals,
    Values,
    buckets,
    collapse,
    list_tensors,
)
from inspector.analysis.report import Cost, Model
from inspector.catalog import Catalog, TensorRow
from inspector.catalog.names import Rows
from inspector.layout.select import not_found, select_any
from inspector.render.fragment import render_fragment
from inspector.render.listing import listing_view
from inspector.render.text import escape
from inspector.render.view import View

_FREE = Cost(requests=0, bytes=0, seconds=0.0)


class TensorTable(Sequence[TensorRow]):
    """Rows of `name`, `dtype`, `shape`, `count`, `bytes`, `shard`, `start`, `stop`.

    A row is made when it is asked for: 290,292 of them take some 15 MB until then. They are in
    natural order of their names, scales among them; bytes `[start, stop)` count from the first of
    `shard`.
    """

    def __init__(self, catalog: Catalog, rows: Rows, values: Values, model: Model) -> None:
        self._catalog = catalog
        self._rows = rows
        self._values = values
        self._model = model

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[TensorRow]:
        return self._catalog.rows(self._rows)

    @overload
    def __getitem__(self, index: int | str) -> TensorRow: ...
    @overload
    def __getitem__(self, index: slice) -> Self: ...
    def __getitem__(self, index: int | str | slice) -> TensorRow | Self:
        """A row by position or by its full name, or a table of a slice."""
        if isinstance(index, slice):
            return self._with(self._rows[index])
        if isinstance(index, str):
            found = self.find(index)
            if found is None:
                raise not_found(self._catalog.names, index, self._model.location)
            return found
        return self._catalog.row(int(self._rows[index]))

    def find(self, name: str) -> TensorRow | None:
        """The row of a full name, or None."""
        row = self._catalog.names.find(name)
        return None if row is None or row not in self._rows else self._catalog.row(row)

    def select(self, *patterns: str) -> Self:
        """The rows that any pattern selects: parts of names, globs, `re:` regexes, as on the line.

        Raises:
            NameNotFound: a pattern selects nothing; the nearest names are in the hint.
        """
        found = select_any(self._catalog.names, patterns, self._model.location)
        return self._with(found[np.isin(found, self._rows)])

    @property
    def names(self) -> list[str]:
        """The full names."""
        return list(self._catalog.texts(self._rows))

    @property
    def totals(self) -> Totals:
        """Tensors, parameters, bytes; `by_dtype` as well."""
        return self._listing.totals

    def groups(self) -> list[Group]:
        """Tensors that differ in their numbers only, as one row each: `experts.{0..511}`."""
        return collapse(self._listing)

    def by(self, what: str) -> list[Bucket]:
        """Totals by `dtype`, `layer`, `module` or `shard`."""
        return buckets(self._listing, Grouping(what))

    def to_dicts(self) -> list[dict[str, Any]]:
        """A dict a row, of text, numbers and lists."""
        return [
            {name: _plain(getattr(row, name)) for name in TensorRow.__struct_fields__}
            for row in self
        ]

    def to_columns(self) -> dict[str, list[Any]]:
        """A list a column, as `pandas.DataFrame`, `polars.DataFrame` and `pyarrow.table` take."""
        rows = self.to_dicts()
        return {name: [row[name] for row in rows] for name in TensorRow.__struct_fields__}

    def __repr__(self) -> str:
        return f"<TensorTable: {escape(self._view().headline)}>"

    def _repr_html_(self) -> str:
        return "".join(render_fragment(self._view()))

    @cached_property
    def _listing(self) -> Listing:
        return list_tensors(self._catalog, self._rows, self._values)

    def _view(self) -> View:
        return listing_view(self._listing, self._model, _FREE, (), by=None, flat=False, limit=None)

    def _with(self, rows: Rows) -> Self:
        return type(self)(self._catalog, rows, self._values, self._model)


def _plain(value: object) -> object:
    """A cell without types of this package."""
    if isinstance(value, tuple):
        return list(value)
    return str(value) if isinstance(value, str) else value
