"""Counting for tests: a config or headers in, counts out."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from inspector.analysis.params.report import ModelParams, model_params
from inspector.analysis.params.terms import Conventions, Counts, Included
from inspector.analysis.report import Model
from inspector.catalog import Catalog, CatalogBuilder
from inspector.config import ModelConfig, parse_config
from inspector.format.dtypes import Dtype
from inspector.format.header import Header
from inspector.format.spans import Span

MODEL = Model(location="test", kind="memory", commit=None, files=0)
EVERYTHING = Conventions(total=Included(mtp=True), activated=Included(mtp=True))


def config_of(fields: Mapping[str, Any]) -> ModelConfig:
    return parse_config(json.dumps(fields).encode(), file="config.json")


def counted(
    fields: Mapping[str, Any] | None,
    tensors: Sequence[tuple[str, str, Sequence[int]]] | None = None,
    *,
    conventions: Conventions | None = None,
    context: int | None = None,
) -> ModelParams:
    return model_params(
        MODEL,
        None if fields is None else config_of(fields),
        None if tensors is None else catalog_of(tensors),
        conventions or Conventions(),
        context=context,
    )


def formula(fields: Mapping[str, Any], conventions: Conventions | None = None) -> Counts:
    found = counted(fields, conventions=conventions).formula
    assert found is not None
    return found


def parameters(counts: Counts | None, component: str) -> int:
    row = counts.of(component) if counts else None
    return row.parameters if row else 0


def catalog_of(tensors: Sequence[tuple[str, str, Sequence[int]]]) -> Catalog:
    """The catalog of one shard with these tensors, without their bytes."""
    kinds: dict[tuple[Dtype, tuple[int, ...]], int] = {}
    kind_ids = [
        kinds.setdefault((Dtype(dtype), tuple(shape)), len(kinds)) for _, dtype, shape in tensors
    ]
    sizes = [math.prod(shape) * Dtype(dtype).bits // 8 for _, dtype, shape in tensors]
    stops = np.cumsum(sizes)
    builder = CatalogBuilder()
    builder.add(
        Header(
            shard="model.safetensors",
            span=Span(8, 8),
            metadata=None,
            names=[name for name, _, _ in tensors],
            kinds=list(kinds),
            kind_ids=kind_ids,
            starts=(stops - sizes).tolist(),
            stops=stops.tolist(),
        )
    )
    return builder.build()
