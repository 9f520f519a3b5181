"""Weights of two checkpoints: what is the same, what rounding explains, what changed."""

from collections.abc import Mapping
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from inspector.analysis.compare.aligned import aligned
from inspector.analysis.compare.pairs import Paired, pairs_of
from inspector.analysis.compare.samples import parts_of, sample_of
from inspector.analysis.compare.weight_diff import WeightRow, compare_pair, summaries
from inspector.checkpoint import Checkpoint
from inspector.decode.numeric import Array, Float32
from tests.strategies_arrays import fp8_config, memory_checkpoint

NAME = "model.layers.0.self_attn.q_proj.weight"
ROWS, COLUMNS, BLOCK = 256, 192, 128


def gaussian(seed: int, rows: int = ROWS, columns: int = COLUMNS) -> Float32:
    return np.random.default_rng(seed).standard_normal((rows, columns)).astype(np.float32) * 0.02


def quantized(values: Float32, name: str = NAME) -> dict[str, Array]:
    """FP8 with a scale of amax / 448 a block, as the producers' scripts write."""
    rows, columns = values.shape
    grid = (-(-rows // BLOCK), -(-columns // BLOCK))
    scale = np.zeros(grid, dtype=np.float32)
    codes = np.zeros(values.shape, dtype=ml_dtypes.float8_e4m3fn)
    for i, j in np.ndindex(grid):
        here = np.s_[i * BLOCK : (i + 1) * BLOCK, j * BLOCK : (j + 1) * BLOCK]
        scale[i, j] = np.abs(values[here]).max() / 448
        codes[here] = (values[here] / scale[i, j]).astype(ml_dtypes.float8_e4m3fn)
    return {name: codes, f"{name}_scale_inv": scale}


def bf16(values: Float32, name: str = NAME) -> dict[str, Array]:
    return {name: values.astype(ml_dtypes.bfloat16)}


def paired(ours: Checkpoint, theirs: Checkpoint, most: int | None = None) -> Paired:
    sides = [(one.weights, aligned(one.weights)) for one in (ours, theirs)]
    return pairs_of(sides[0], sides[1], most=most)


def compared(
    ours: Mapping[str, Array],
    theirs: Mapping[str, Array],
    *,
    sampled: int | None = None,
    seed: int = 0,
    config: Mapping[str, object] | None = None,
) -> list[WeightRow]:
    declared = config or fp8_config((BLOCK, BLOCK), hidden_size=COLUMNS)
    (left, _), (right, _) = (memory_checkpoint(side, config=declared) for side in (ours, theirs))
    rng = np.random.default_rng(seed)
    return [
        compare_pair(sample_of(pair, rng, rows=sampled), (left.reader, right.reader))
        for pair in paired(left, right).pairs
    ]


def one(*arguments: Any, **options: Any) -> WeightRow:
    (row,) = compared(*arguments, **options)
    return row


def test_the_same_bytes_are_equal_in_bytes() -> None:
    row = one(quantized(gaussian(1)), quantized(gaussian(1)))
    assert (row.equal, row.relative_change, row.largest_change) == ("bytes", 0, 0)
    assert row.cosine == pytest.approx(1)


def test_the_same_numbers_in_another_dtype_are_equal_in_values() -> None:
    values = gaussian(1).astype(ml_dtypes.bfloat16).astype(np.float32)
    assert one({NAME: values}, bf16(values)).equal == "values"


def test_the_same_codes_with_another_scale_are_not_the_same() -> None:
    ours, theirs = quantized(gaussian(1)), quantized(gaussian(1))
    theirs[f"{NAME}_scale_inv"] = theirs[f"{NAME}_scale_inv"] * np.float32(2)
    row = one(ours, theirs)
    assert row.equal == "no"
    assert row.relative_change == pytest.approx(0.5)


def test_bf16_and_fp8_of_the_same_weights_differ_by_rounding_alone() -> None:
    """Tools that compare raw codes call this 89 % changed."""
    row = one(quantized(gaussian(2)), bf16(gaussian(2)))
    assert row.equal == "quantization"
    assert row.relative_change is not None
    assert abs(row.relative_change - 0.0264) < 0.03 * 0.0264
    assert row.noise is not None
    assert row.relative_change < row.noise < 1.06 * row.relative_change
    assert row.cosine == pytest.approx(0.99965, abs=1e-4)


@pytest.mark.parametrize("share", [0.005, 0.02, 0.1])
def test_a_change_below_the_noise_of_rounding_is_seen(share: float) -> None:
    values = gaussian(3)
    changed = values * (1 + np.float32(share) * np.sign(gaussian(4)))
    row = one(quantized(changed), bf16(values))
    assert row.equal == "no"


def test_unrelated_weights_have_no_angle_in_common() -> None:
    row = one(bf16(gaussian(5)), bf16(gaussian(6)))
    assert row.equal == "no"
    assert abs(row.cosine or 0) < 5 / np.sqrt(ROWS * COLUMNS)
    assert row.relative_change == pytest.approx(np.sqrt(2), rel=0.02)


def test_two_quantizations_of_the_same_weights_differ_by_rounding_alone() -> None:
    values = gaussian(7)
    ours, theirs = quantized(values), quantized(values)
    coarse = np.exp2(np.ceil(np.log2(theirs[f"{NAME}_scale_inv"]))).astype(np.float32)
    wide = np.repeat(np.repeat(coarse, BLOCK, 0), BLOCK, 1)[:ROWS, :COLUMNS]
    theirs = {NAME: (values / wide).astype(ml_dtypes.float8_e4m3fn), f"{NAME}_scale_inv": coarse}
    assert one(ours, theirs).equal == "quantization"


@pytest.mark.parametrize("transposed", [True, False], ids=["inputs first", "outputs first"])
def test_fused_and_separate_experts_are_compared_as_the_same_matrices(*, transposed: bool) -> None:
    gate, up = gaussian(8, 128, COLUMNS), gaussian(9, 128, COLUMNS)
    prefix = "model.layers.0.mlp.experts."
    separate = {
        **quantized(gate, f"{prefix}0.gate_proj.weight"),
        **quantized(up, f"{prefix}0.up_proj.weight"),
    }
    both = np.concatenate([gate, up]).astype(ml_dtypes.bfloat16)[None]
    fused = np.ascontiguousarray(both.transpose(0, 2, 1) if transposed else both)
    rows = compared(separate, {f"{prefix}gate_up_proj": fused}, sampled=16)
    assert [row.name.rpartition(".")[0] for row in rows] == [
        "layers.0.mlp.experts.0.gate_proj", "layers.0.mlp.experts.0.up_proj",
    ]  # fmt: skip
    assert {row.equal for row in rows} == {"quantization"}
    assert {row.component for row in rows} == {"experts"}


def test_a_sample_reads_its_rows_and_no_more() -> None:
    row = one(bf16(gaussian(1)), bf16(gaussian(1)), sampled=16)
    assert (row.rows, row.rows_of) == (16, ROWS)
    assert (row.equal, row.relative_change) == ("bytes", 0)


def test_a_strip_of_columns_is_read_where_rows_lie_across_the_bytes() -> None:
    """A row of an expert stored inputs first would take all bytes of its matrix."""
    gate, up = gaussian(8, 512, 384), gaussian(9, 512, 384)
    both = np.concatenate([gate, up]).astype(ml_dtypes.bfloat16)[None].transpose(0, 2, 1)
    name = "model.layers.0.mlp.experts."
    config = {"hidden_size": 384}
    fused, source = memory_checkpoint(
        {f"{name}gate_up_proj": np.ascontiguousarray(both)}, config=config
    )
    separate, _ = memory_checkpoint(bf16(up, f"{name}0.up_proj.weight"), config=config)
    (pair,) = paired(separate, fused).pairs
    sample = sample_of(pair, np.random.default_rng(0), rows=16)
    source.reads.clear()
    row = compare_pair(sample, (separate.reader, fused.reader))
    assert row.equal == "bytes"
    assert row.columns is not None
    assert row.columns[1] - row.columns[0] == 128
    assert max(len(span) for _, span in source.reads) <= 128 * 1024 * 2


def test_the_rows_of_tokens_that_both_vocabularies_have_are_compared() -> None:
    longer = np.concatenate([gaussian(1), gaussian(2)])
    row = one({"model.embed_tokens.weight": longer}, {"model.embed_tokens.weight": gaussian(1)})
    assert (row.equal, row.rows, row.rows_of) == ("bytes", ROWS, ROWS)


def test_the_interval_of_a_sample_holds_the_figures_of_the_whole() -> None:
    """Rows of differing change: 95 % nominal, of 100 draws at least 85."""
    values = gaussian(10)
    growing = np.linspace(0.01, 0.2, ROWS, dtype=np.float32)[:, None]
    ours, theirs = bf16(values + growing * gaussian(11)), bf16(values)
    whole = one(ours, theirs)
    assert whole.relative_change is not None
    assert whole.cosine is not None
    hits = [0, 0]
    for seed in range(100):
        row = one(ours, theirs, sampled=16, seed=seed)
        for k, (interval, truth) in enumerate(
            (
                (row.relative_change_interval, whole.relative_change),
                (row.cosine_interval, whole.cosine),
            )
        ):
            assert interval is not None
            hits[k] += interval.low <= truth <= interval.high
    assert min(hits) >= 85


def test_the_interval_of_all_rows_is_a_point() -> None:
    row = one(bf16(gaussian(1)), bf16(gaussian(2)))
    assert row.cosine_interval is not None
    assert row.cosine_interval.low == row.cosine == row.cosine_interval.high


@pytest.mark.parametrize("shape", [(), (7,), (3, 2, 2)], ids=str)
def test_tensors_of_any_shape_are_compared(shape: tuple[int, ...]) -> None:
    values = np.full(shape, 2, dtype=np.float32)
    row = one({"norm.weight": values}, {"norm.weight": values + np.float32(1)})
    assert row.cosine == pytest.approx(1)
    assert row.relative_change == pytest.approx(1 / 3)
    assert row.largest_change == 1


def test_zeros_have_no_angle() -> None:
    zeros = np.zeros((2, 2), dtype=np.float32)
    row = one({NAME: zeros}, {NAME: zeros})
    assert (row.equal, row.cosine, row.relative_change) == ("bytes", None, None)


def test_infinite_and_missing_numbers_break_nothing() -> None:
    values = gaussian(1)
    values[0, 0], values[1, 1] = np.nan, np.inf
    assert one({NAME: values}, {NAME: values}).equal == "bytes"
    other = gaussian(1)
    assert one({NAME: values}, {NAME: other}).equal == "no"


def test_weights_that_cannot_be_decoded_are_named() -> None:
    codes = np.zeros((2, 2), dtype=ml_dtypes.float8_e4m3fn)
    (left, _), (right, _) = memory_checkpoint({NAME: codes}), memory_checkpoint({NAME: codes})
    found = paired(left, right)
    assert found.pairs == []
    assert found.left_out == [NAME.removeprefix("model.")]


def test_a_sample_of_pairs_is_spread_over_layers_and_experts() -> None:
    tensors = {f"model.layers.{i}.norm.weight": np.ones(2, np.float32) for i in range(9)}
    (left, _), (right, _) = memory_checkpoint(tensors), memory_checkpoint(tensors)
    assert [pair.layer for pair in paired(left, right, most=3).pairs] == [0, 4, 8]


@pytest.mark.parametrize("count", [1, 5, 16, 17, 100])
def test_sampled_parts_are_rows_of_the_weight_each_at_most_once(count: int) -> None:
    parts = parts_of(count, np.random.default_rng(0), sampled=16)
    rows = [row for start, stop in parts for row in range(start, stop)]
    assert len(rows) == len(set(rows)) == min(count, 16)
    assert set(rows) <= set(range(count))


def test_summaries_count_pairs_by_component_and_by_layer() -> None:
    rows = compared(
        {NAME: gaussian(1), "norm.weight": np.ones(2, np.float32)},
        {NAME: gaussian(2), "norm.weight": np.ones(2, np.float32)},
    )
    by_component = {one.group: one.equal for one in summaries(rows, by_layer=False)}
    assert by_component == {"attention": {"no": 1}, "norms": {"bytes": 1}}
    assert [one.group for one in summaries(rows, by_layer=True)] == ["layer 0", "(no layer)"]
