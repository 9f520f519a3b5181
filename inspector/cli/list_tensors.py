"""`list-tensors`: select, sort, show."""

from collections.abc import Sequence

import numpy as np

from inspector.analysis.listing import Grouping, in_layers_and_experts, list_tensors
from inspector.catalog import Catalog
from inspector.catalog.names import Rows
from inspector.cli.common import InputOptions, OutputOptions, finish, opened, write_plan
from inspector.cli.options import By, SortKey
from inspector.cli.output import write_view
from inspector.layout.select import select_any
from inspector.layout.stored import value_counts
from inspector.render.listing import listing_view


def run(
    inputs: InputOptions,
    outputs: OutputOptions,
    patterns: Sequence[str],
    *,
    flat: bool,
    by: By | None,
    sort: SortKey,
    limit: int | None,
) -> None:
    """List the tensors that any pattern selects, or all."""
    outputs.resolved()
    with opened(inputs) as checkpoint:
        if inputs.plan:
            write_plan("list-tensors", checkpoint.planned_listing(), checkpoint, outputs)
            return
        catalog = checkpoint.catalog
        rows = select_any(catalog.names, patterns, checkpoint.source.location)
        rows = in_layers_and_experts(catalog, rows, inputs.layer_numbers, inputs.expert_numbers)
        values = value_counts(catalog, lambda: checkpoint.declared)
        view = listing_view(
            list_tensors(catalog, _sorted(catalog, rows, sort), values),
            checkpoint.model,
            checkpoint.cost,
            checkpoint.problems,
            by=None if by is None else Grouping(by.value),
            flat=flat,
            limit=limit,
        )
    write_view(view, outputs, checkpoint.problems)
    finish(checkpoint)


def _sorted(catalog: Catalog, rows: Rows, key: SortKey) -> Rows:
    match key:
        case SortKey.BYTES:
            return rows[np.argsort(-catalog.sizes(rows), kind="stable")]
        case SortKey.COUNT:
            return rows[np.argsort(-catalog.counts(rows), kind="stable")]
        case SortKey.SHARD:
            return rows[np.lexsort((catalog.starts[rows], catalog.shard_ids[rows]))]
        case _:
            return rows
