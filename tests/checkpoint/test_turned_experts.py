"""Experts read as their transposes, of every scheme, and what reads are said to take."""

from typing import Any

import numpy as np
import pytest

from inspector.analysis.report import Reads
from inspector.checkpoint import Checkpoint
from inspector.checkpoint.experts import CheckpointExperts
from inspector.layout.experts import ExpertKey
from inspector.layout.families import Projection
from inspector.source.base import MemorySource
from tests.quantized import Model, opened
from tests.schemes import SCHEMES, stored_by

ROWS = [3, 5, 40]


def words(module: str, rng: np.random.Generator, *, order: bool) -> dict[str, Any]:
    """A matrix `[64, 64]` of AWQ, or of GPTQ with groups of columns that are no neighbours."""

    def drawn(*shape: int) -> Any:
        return rng.integers(-(2**31), 2**31, shape, dtype=np.int64).astype(np.int32)

    scales = rng.uniform(0.5, 2, (2, 64)).astype(np.float16)
    codes = {"qweight": drawn(8, 64), "g_idx": rng.permutation(64).astype(np.int32) % 2}
    codes = codes if order else {"qweight": drawn(64, 8)}
    found = {**codes, "qzeros": drawn(2, 8), "scales": scales}
    return {f"{module}.{name}": values for name, values in found.items()}


def of_words(*, order: bool) -> Model:
    rng = np.random.default_rng(3)
    modules = [f"model.layers.0.mlp.experts.{e}.{p}" for e in range(2) for p in Projection]
    tensors = {
        name: values for one in modules for name, values in words(one, rng, order=order).items()
    }
    claim = {"bits": 4, "group_size": 32}
    method = {"quant_method": "gptq", "desc_act": True} if order else {"quant_method": "awq"}
    return Model(tensors, {"hidden_size": 64, "quantization_config": {**method, **claim}})


def model_of(name: str) -> Model:
    if name in ("GPTQ", "AWQ"):
        return of_words(order=name == "GPTQ")
    return stored_by(SCHEMES[name], np.random.default_rng(0), layers=1).model


def taken(source: MemorySource) -> Reads:
    found = Reads(requests=len(source.reads), bytes=sum(len(span) for _, span in source.reads))
    source.reads.clear()
    return found


def decoded(checkpoint: Checkpoint, expert: int, projection: Projection) -> Any:
    (weight,) = checkpoint.reader.settle(
        [checkpoint.weights.expert(ExpertKey(0, expert, projection))]
    )
    return checkpoint.reader.read_values(weight, 0, weight.rows)


@pytest.mark.parametrize("name", [*SCHEMES, "AWQ", "GPTQ"])
def test_rows_of_a_transpose_are_columns_and_take_what_is_said(name: str) -> None:
    checkpoint, source = opened(model_of(name))
    straight, turned = CheckpointExperts(checkpoint), CheckpointExperts(checkpoint, turned=True)
    for projection in (Projection.DOWN, Projection.GATE):
        expected = [decoded(checkpoint, expert, projection) for expert in (1, 0)]
        assert turned.shape(0, projection) == expected[0].shape[::-1]
        asked = 0, [1, 0], projection, ROWS
        taken(source)
        np.testing.assert_array_equal(
            turned.read(*asked), [values[:, ROWS].T for values in expected]
        )
        said = Reads(requests=turned.read_requests(*asked), bytes=turned.read_cost(*asked))
        assert taken(source) == said
        straight.read(*asked)
        said = Reads(requests=straight.read_requests(*asked), bytes=straight.read_cost(*asked))
        assert taken(source) == said
        straight.scales(*asked)
        assert taken(source).bytes == straight.scale_cost(*asked)
