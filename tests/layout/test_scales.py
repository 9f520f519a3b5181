import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.catalog import TensorRow
from inspector.errors import LayoutError
from inspector.format.codings import PLAIN_CODINGS
from inspector.format.dtypes import Dtype
from inspector.layout.experts import ExpertKey
from inspector.layout.families import Projection
from inspector.layout.scales import Granularity, Matrix, Numbers, ScaleGrid, lay_grid
from tests.layout.model import PREFIX, Order, decoded, draw_experts, fused, separate
from tests.strategies_arrays import (
    CODES,
    Array,
    float32,
    fp8_config,
    memory_checkpoint,
    random_codes,
)

FP8 = np.dtype("float8_e4m3fn")


def grid_of(
    weight: tuple[int, int], shape: tuple[int, ...], block: tuple[int, int] | None
) -> ScaleGrid:
    declared = [] if block is None else [block]
    return lay_grid(Matrix("w", weight), Numbers(scale_row(*shape)), declared)


def scale_row(*shape: int) -> TensorRow:
    count = int(np.prod(shape))
    return TensorRow("w_scale", Dtype.F32, shape, count, 4 * count, "s", 0, 4 * count)


@pytest.mark.parametrize(
    ("weight", "shape", "block", "granularity", "covers"),
    [
        ((192, 256), (), None, Granularity.TENSOR, (192, 256)),
        ((192, 256), (1,), None, Granularity.TENSOR, (192, 256)),
        ((192, 256), (1, 1), None, Granularity.TENSOR, (192, 256)),
        ((192, 256), (1,), (128, 128), Granularity.TENSOR, (192, 256)),
        ((192, 256), (192,), None, Granularity.CHANNEL, (1, 256)),
        ((192, 256), (192, 1), None, Granularity.CHANNEL, (1, 256)),
        ((192, 256), (192, 1), (128, 128), Granularity.CHANNEL, (1, 256)),
        ((192, 256), (2, 2), (128, 128), Granularity.BLOCK, (128, 128)),
        ((576, 7168), (5, 56), (128, 128), Granularity.BLOCK, (128, 128)),
        ((64, 96), (1, 1), (128, 128), Granularity.BLOCK, (128, 128)),
        ((64, 96), (64, 3), (1, 32), Granularity.GROUP, (1, 32)),
        ((64, 96), (64, 1), (1, 96), Granularity.CHANNEL, (1, 96)),
    ],
)
def test_the_shape_of_a_scale_says_its_class(
    weight: tuple[int, int], shape: tuple[int, ...], block: tuple[int, int] | None,
    granularity: Granularity, covers: tuple[int, int],
) -> None:  # fmt: skip
    grid = grid_of(weight, shape, block)
    assert (grid.granularity, grid.block) == (granularity, covers)


@pytest.mark.parametrize(
    ("weight", "shape", "tiles"),
    [
        ((192, 256), (1, 1), [2, 2]),  # a grid of larger blocks, not one scale for all
        ((576, 512), (4, 4), [5, 4]),  # 576 // 128 is 4; the last block is partial
        ((13568, 4096), (108, 32), [106, 32]),  # four shards, each rounded up on its own
        ((192, 256), (2, 1), [2, 2]),
        ((192, 256), (256, 1), [2, 2]),
        ((192, 256), (1, 192), [2, 2]),
        ((192, 256), (4,), [2, 2]),
        ((192, 256), (1, 2, 2), [2, 2]),
    ],
    ids=str,
)
def test_a_grid_that_does_not_tile_is_refused_with_both_shapes(
    weight: tuple[int, int], shape: tuple[int, ...], tiles: list[int]
) -> None:
    with pytest.raises(LayoutError) as refused:
        grid_of(weight, shape, (128, 128))
    assert f"needs scales {tiles}, w_scale has {list(shape)}" in str(refused.value)


@pytest.mark.parametrize("shape", [(2, 2), (96, 128), (192, 2)], ids=str)
def test_a_block_size_is_never_taken_from_the_grid(shape: tuple[int, int]) -> None:
    with pytest.raises(LayoutError, match="is by block, and no weight_block_size is declared"):
        grid_of((192, 256), shape, None)


@given(st.integers(1, 12), st.integers(1, 12), st.integers(1, 6), st.integers(1, 6))
def test_a_declared_block_is_checked_by_ceiling_division(
    rows: int, columns: int, height: int, width: int
) -> None:
    tiles = (len(range(0, rows, height)), len(range(0, columns, width)))
    grid = grid_of((rows, columns), tiles, (height, width))
    if height > 1:
        expected = (Granularity.BLOCK, (height, width))
    elif width < columns:
        expected = (Granularity.GROUP, (1, width))
    else:
        expected = (Granularity.CHANNEL, (1, columns))
    assert (grid.granularity, grid.block) == expected


def test_rows_by_scale_rows_is_not_the_block() -> None:
    """[192, 256] with [2, 2] scales has blocks of 128 rows; 192 / 2 would shift 32 of them."""
    rng = np.random.default_rng(0)
    stored = random_codes(rng, Dtype.F8_E4M3, (192, 256))
    scale = float32([[1, 2], [4, 8]])
    checkpoint, _ = memory_checkpoint(
        {"k.weight": stored, "k.weight_scale_inv": scale}, config=fp8_config((128, 128))
    )
    row = checkpoint.catalog.find("k.weight")
    assert row is not None
    found = checkpoint.reader.read_values(checkpoint.weights.stored(row), 0, 192)
    np.testing.assert_array_equal(found[96:128, :128], stored[96:128, :128].astype(np.float32))
    np.testing.assert_array_equal(found[128:, 128:], stored[128:, 128:].astype(np.float32) * 8)


SCALE_FORMS = {
    "scalar": ((), float32(3.0)),
    "one": ((1,), float32(3.0)),
    "channel": ((5,), float32([[1], [2], [3], [4], [5]])),
    "channel column": ((5, 1), float32([[1], [2], [3], [4], [5]])),
}


@pytest.mark.parametrize("form", SCALE_FORMS)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("name", ["w.weight_scale_inv", "w.weight_scale", "w.scale"])
def test_scales_of_a_tensor_and_of_channels_multiply(form: str, dtype: str, name: str) -> None:
    shape, factor = SCALE_FORMS[form]
    stored = random_codes(np.random.default_rng(0), Dtype.F8_E4M3, (5, 3))
    scale: Array = np.broadcast_to(factor.reshape(-1), (int(np.prod(shape)),)).reshape(shape)
    checkpoint, _ = memory_checkpoint({"w.weight": stored, name: scale.astype(dtype)})
    row = checkpoint.catalog.find("w.weight")
    assert row is not None
    weight = checkpoint.weights.stored(row)
    assert weight.scale is not None
    assert weight.scale.tensor.name == name
    np.testing.assert_array_equal(
        checkpoint.reader.read_values(weight, 0, 5), stored.astype(np.float32) * factor
    )
    np.testing.assert_array_equal(
        checkpoint.reader.read_values(weight, 3, 5),
        (stored.astype(np.float32) * factor)[3:],
    )


@pytest.mark.parametrize("dtype", sorted(PLAIN_CODINGS), ids=str)
@pytest.mark.parametrize("order", [None, *Order], ids=str)
def test_codes_without_a_scale_are_refused(dtype: Dtype, order: Order | None) -> None:
    experts = draw_experts(0, dtype=Dtype.BF16)
    tensors = separate(experts, 0) if order is None else fused(experts, 0, order)
    kinds = {code: kind for kind, code in CODES.items()}
    coded = {name: np.zeros(t.shape, kinds[dtype]) for name, t in tensors.items()}
    checkpoint, _ = memory_checkpoint(coded, config=fp8_config((2, 4), hidden_size=8))
    with pytest.raises(LayoutError, match=f"{dtype} codes without a scale"):
        checkpoint.weights.expert(ExpertKey(0, 1, Projection.UP))


def test_a_block_scale_without_a_config_is_refused() -> None:
    experts = draw_experts(0)
    alone, _ = memory_checkpoint(separate(experts, 0, scaled=True))
    with pytest.raises(LayoutError, match="no weight_block_size is declared"):
        alone.weights.expert(ExpertKey(0, 0, Projection.UP))
    tensors = fused(experts, 0, Order.IN_OUT, scaled=True)
    together, _ = memory_checkpoint(tensors, config={"hidden_size": 8})
    with pytest.raises(LayoutError, match=r"by block, and no weight_block_size is declared"):
        together.weights.expert(ExpertKey(0, 0, Projection.UP))


def test_a_block_that_spans_gate_and_up_is_refused() -> None:
    experts = draw_experts(0, size=6, hidden=8, block=(6, 4))
    tensors = fused(experts, 0, Order.OUT_IN, scaled=True)
    name = f"{PREFIX}.0.mlp.experts.gate_up_proj_scale_inv"
    tensors[name] = np.ones((3, 3, 2), np.float32)
    checkpoint, _ = memory_checkpoint(tensors, config=fp8_config((4, 4), hidden_size=8))
    for projection in (Projection.GATE, Projection.UP):
        with pytest.raises(LayoutError, match="a block of 4 spans two projections at"):
            checkpoint.weights.expert(ExpertKey(0, 0, projection))


def test_a_fused_scale_that_does_not_tile_is_refused_with_both_shapes() -> None:
    tensors = fused(draw_experts(0), 0, Order.IN_OUT, scaled=True)
    tensors[f"{PREFIX}.0.mlp.experts.gate_up_proj_scale_inv"] = np.ones((3, 2, 5), np.float32)
    checkpoint, _ = memory_checkpoint(tensors, config=fp8_config((2, 4), hidden_size=8))
    with pytest.raises(LayoutError, match=r"needs scales \[3, 2, 6\], .* has \[3, 2, 5\]"):
        checkpoint.weights.expert(ExpertKey(0, 0, Projection.UP))


def test_scales_for_too_few_experts_are_refused() -> None:
    """The last expert was decoded with the bytes that follow the scales in the file."""
    tensors = fused(draw_experts(0), 0, Order.IN_OUT, scaled=True)
    name = f"{PREFIX}.0.mlp.experts.gate_up_proj_scale_inv"
    tensors[name] = tensors[name][:2]
    checkpoint, _ = memory_checkpoint(tensors, config=fp8_config((2, 4), hidden_size=8))
    with pytest.raises(LayoutError, match=r"needs scales \[3, 2, 6\], .* has \[2, 2, 6\]"):
        checkpoint.weights.expert(ExpertKey(0, 2, Projection.UP))


def test_a_scale_may_lie_in_another_shard() -> None:
    experts = draw_experts(1)
    tensors = separate(experts, 0, scaled=True)
    scales = {name: t for name, t in tensors.items() if name.endswith("_scale_inv")}
    codes = {name: t for name, t in tensors.items() if name not in scales}
    checkpoint, source = memory_checkpoint(scales, codes, config=fp8_config((2, 4)))
    weight = checkpoint.weights.expert(ExpertKey(0, 2, Projection.DOWN))
    source.reads.clear()
    np.testing.assert_array_equal(
        checkpoint.reader.read_values(weight, 0, weight.rows),
        decoded(experts, Projection.DOWN, 2, scaled=True),
    )
    assert len({shard for shard, _ in source.reads}) == 2


def test_a_fused_quantized_tensor_is_not_decoded_whole() -> None:
    tensors = fused(draw_experts(0), 0, Order.IN_OUT, scaled=True)
    checkpoint, _ = memory_checkpoint(tensors, config=fp8_config((2, 4), hidden_size=8))
    row = checkpoint.catalog.find(f"{PREFIX}.0.mlp.experts.down_proj")
    assert row is not None
    with pytest.raises(LayoutError, match="decoded by expert"):
        checkpoint.weights.stored(row)


def test_scales_go_with_their_weight_and_are_none() -> None:
    tensors = separate(draw_experts(0), 0, scaled=True)
    checkpoint, _ = memory_checkpoint(tensors, config=fp8_config((2, 4)))
    weights = list(checkpoint.weights.stored_weights(checkpoint.catalog.all_rows))
    assert {weight.name for weight in weights} == set(separate(draw_experts(0), 0))
    assert all(weight.scale is not None for weight in weights)
    assert FP8 in {t.dtype for t in tensors.values()}
