import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.format.dtypes import Dtype
from inspector.layout.experts import ExpertKey
from inspector.layout.families import Projection
from tests.layout.model import Order, draw_experts, fused, separate
from tests.strategies_arrays import float32, fp8_config, memory_checkpoint

HIDDEN, SIZE = 10, 8


@settings(max_examples=40)
@given(st.sampled_from(Projection), st.integers(0, 2), st.integers(0, 7), st.integers(1, 8))
def test_rows_of_a_tensor_of_its_own_cost_their_bytes(
    projection: Projection, expert: int, start: int, height: int
) -> None:
    experts = draw_experts(2, hidden=HIDDEN, size=SIZE)
    checkpoint, source = memory_checkpoint(
        separate(experts, 0, scaled=True), config=fp8_config((2, 4))
    )
    weight = checkpoint.weights.expert(ExpertKey(0, expert, projection))
    stop = min(start + height, weight.rows)
    source.reads.clear()
    codes = checkpoint.reader.read_codes(weight, start, stop)
    assert [len(span) for _, span in source.reads] == [(stop - start) * weight.shape[1]]
    np.testing.assert_array_equal(codes, experts.codes[projection][expert][start:stop])


@settings(max_examples=40)
@given(st.sampled_from(Projection), st.integers(0, 2), st.integers(0, 7), st.integers(1, 8))
def test_rows_of_a_fused_expert_cost_their_bytes(
    projection: Projection, expert: int, start: int, height: int
) -> None:
    experts = draw_experts(2, hidden=HIDDEN, size=SIZE, dtype=Dtype.BF16)
    checkpoint, source = memory_checkpoint(
        fused(experts, 0, Order.OUT_IN), config={"hidden_size": HIDDEN}
    )
    weight = checkpoint.weights.expert(ExpertKey(0, expert, projection))
    stop = min(start + height, weight.rows)
    source.reads.clear()
    codes = checkpoint.reader.read_codes(weight, start, stop)
    assert [len(span) for _, span in source.reads] == [2 * (stop - start) * weight.shape[1]]
    np.testing.assert_array_equal(codes, experts.codes[projection][expert][start:stop])


@pytest.mark.parametrize("projection", Projection)
def test_rows_of_a_transposed_expert_cost_its_page_and_no_other(projection: Projection) -> None:
    experts = draw_experts(2, hidden=HIDDEN, size=SIZE, dtype=Dtype.BF16)
    checkpoint, source = memory_checkpoint(
        fused(experts, 0, Order.IN_OUT), config={"hidden_size": HIDDEN}
    )
    weight = checkpoint.weights.expert(ExpertKey(0, 1, projection))
    page = 2 * HIDDEN * SIZE * (1 if projection is Projection.DOWN else 2)
    source.reads.clear()
    checkpoint.reader.read_codes(weight, 3, 4)
    ((_, span),) = source.reads
    assert (span.start, span.stop) == (weight.tensor.start + page, weight.tensor.start + 2 * page)


@pytest.mark.parametrize("order", Order)
def test_the_scales_of_rows_cost_their_row_of_blocks_or_their_page(order: Order) -> None:
    experts = draw_experts(2, hidden=HIDDEN, size=SIZE, block=(4, 5))
    checkpoint, source = memory_checkpoint(
        fused(experts, 0, order, scaled=True), config=fp8_config((4, 5), hidden_size=HIDDEN)
    )
    weight = checkpoint.weights.expert(ExpertKey(0, 1, Projection.DOWN))
    source.reads.clear()
    checkpoint.reader.read_values(weight, 2, 3)
    codes, scales = (span for _, span in source.reads)
    assert len(codes) == (HIDDEN * SIZE if order is Order.IN_OUT else SIZE)
    assert len(scales) == 4 * 2 * (3 if order is Order.IN_OUT else 1)


def test_a_scalar_is_one_row() -> None:
    checkpoint, source = memory_checkpoint({"scale": float32(2.5).reshape(())})
    weight = checkpoint.weights.stored(checkpoint.catalog.row(0))
    source.reads.clear()
    assert weight.rows == 1
    assert checkpoint.reader.read_values(weight, 0, 1) == 2.5
    assert [len(span) for _, span in source.reads] == [4]


@pytest.mark.parametrize("shape", [(0,), (0, 4), (4, 0)], ids=str)
def test_a_tensor_without_elements_is_read(shape: tuple[int, ...]) -> None:
    checkpoint, _ = memory_checkpoint(
        {"a": np.ones(3, np.float32), "b": np.ones(shape, np.float32)}
    )
    weight = checkpoint.weights.stored(checkpoint.catalog.row(1))
    assert checkpoint.reader.read_values(weight, 0, weight.rows).shape == shape
    assert (
        sum(part.values.size for part in checkpoint.reader.iterate_rows(weight, 0, weight.rows))
        == 0
    )
