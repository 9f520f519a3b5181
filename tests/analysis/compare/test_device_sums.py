"""What a device says of two weights is what is said here, whatever they are stored as."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from inspector.analysis.compare import device_sums
from inspector.analysis.compare.device_sums import _of_floats
from inspector.analysis.compare.rounding import INTEGERS, PRECISION, half_units
from inspector.analysis.compare.samples import sample_of
from inspector.analysis.compare.weight_diff import Interval, WeightRow, compare_pair
from inspector.checkpoint import cutting
from inspector.decode.device import holds
from inspector.decode.numeric import NUMPY_DTYPES
from inspector.format.dtypes import Dtype
from tests.analysis.compare.test_weight_diff import NAME, bf16, gaussian, paired, quantized
from tests.quantized import Model, awq, bitsandbytes, gptq, opened
from tests.schemes import SCHEMES, SHAPE, Scheme
from tests.strategies_arrays import Array, fp8_config, memory_checkpoint
from tests.torch_devices import AVAILABLE, DEVICES, device_of

TOLERANCE = 1e-12
"""Stated in docs/commands/compare.md: of figures made of sums, which are added in another order."""

WIDTH = 192
"""Columns of what `gaussian` gives: with blocks of 128 the last is partial."""

SUMMED = ("cosine", "relative_change", "noise", "cosine_interval", "relative_change_interval")


def rows_of(
    ours: Model, theirs: Model, device: str, sampled: int | None = None
) -> Iterator[tuple[WeightRow, WeightRow]]:
    """Every pair, compared here and there."""
    (left, _), (right, _) = opened(ours), opened(theirs)
    for checkpoint in (left, right):
        checkpoint.take_shapes()
    for pair in paired(left, right).pairs:
        settled = replace(
            pair, model=left.reader.settled(pair.model), ref=right.reader.settled(pair.ref)
        )
        sample = sample_of(settled, np.random.default_rng(0), rows=sampled)
        readers = left.reader, right.reader
        here, there = (compare_pair(sample, readers, one) for one in (None, device_of(device)))
        yield here, there


def check(here: WeightRow, there: WeightRow) -> None:
    for name in WeightRow.__struct_fields__:
        one, other = getattr(here, name), getattr(there, name)
        if name not in SUMMED or one is None:
            assert one == other, name
            continue
        figures = ("estimate", "low", "high") if isinstance(one, Interval) else ()
        pairs = [(getattr(one, each), getattr(other, each)) for each in figures] or [(one, other)]
        for mine, its in pairs:
            assert its == pytest.approx(mine, rel=TOLERANCE, abs=TOLERANCE), name


def checked(
    ours: Mapping[str, Array], theirs: Mapping[str, Array], device: str, **options: Any
) -> list[WeightRow]:
    config = fp8_config((128, 128), hidden_size=WIDTH)
    models = [Model(dict(tensors), config) for tensors in (ours, theirs)]
    found = list(rows_of(models[0], models[1], device, **options))
    assert found
    for here, there in found:
        check(here, there)
    return [there for _, there in found]


def stored(scheme: Scheme, weight: Array) -> Model:
    """A model of one weight, quantized."""
    claim, others = scheme.claim([])
    tensors = scheme.tensors(NAME.removesuffix(".weight"), scheme.encoded(weight.astype(float)))
    return Model(tensors, {"hidden_size": SHAPE[1], **claim}, others=others)


def changed(values: Array) -> Array:
    return np.asarray(values * np.float32(1.1), dtype=np.float32)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    ("theirs", "equal"),
    [
        (quantized(gaussian(1)), "bytes"),
        (bf16(gaussian(1)), "quantization"),
        ({NAME: gaussian(1)}, "quantization"),
        ({NAME: gaussian(1).astype(np.float16)}, "quantization"),
        ({NAME: gaussian(1).astype(np.float64)}, "no"),
        (quantized(changed(gaussian(1))), "no"),
        (bf16(gaussian(2)), "no"),
    ],
    ids=["itself", "BF16", "F32", "F16", "F64", "changed", "another"],
)
def test_fp8_against_other_weights(theirs: Mapping[str, Array], equal: str, device: str) -> None:
    (row,) = checked(quantized(gaussian(1)), theirs, device)
    assert row.equal == equal


@pytest.mark.parametrize("device", AVAILABLE)
@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=SCHEMES)
def test_weights_of_every_scheme(scheme: Scheme, device: str) -> None:
    """Also those that torch cannot decode: they are decoded here, and sent."""
    weight = gaussian(11, *SHAPE)
    plain = bf16(scheme.kept(weight.astype(np.float64)).astype(np.float32))
    ((here, there),) = rows_of(stored(scheme, weight), Model(plain, {}), device)
    check(here, there)
    assert here.relative_change is not None
    assert 0 < here.relative_change < 0.2


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("store", [gptq, awq, bitsandbytes], ids=lambda store: store.__name__)
def test_weights_in_words_and_with_tables(store: Any, device: str) -> None:
    config: dict[str, Any] = {"hidden_size": 128}
    method = {"quant_method": store.__name__, "bits": 4, "group_size": -1, "load_in_4bit": True}
    ours = Model(store("model.layers.0.self_attn.q_proj", 64, 128),
                 {**config, "quantization_config": method})  # fmt: skip
    theirs = Model({NAME: gaussian(3, 64, 128)}, config)
    ((here, there),) = rows_of(ours, theirs, device)
    check(here, there)


@pytest.mark.parametrize("device", DEVICES)
def test_numbers_that_are_none(device: str) -> None:
    """NaN codes and scales, infinities on one side and on both, and blocks of zeros."""
    ours, theirs = quantized(gaussian(4)), quantized(gaussian(4))
    codes = ours[NAME].view(np.uint8)
    codes[0, :3], codes[130, 5] = 0x7F, 0xFF
    theirs[NAME].view(np.uint8)[0, :2] = 0x7F
    codes[:128, 128:] = 0
    ours[f"{NAME}_scale_inv"][1, 1] = np.nan
    (row,) = checked(ours, theirs, device)
    assert row.equal == "no"
    wide, other = gaussian(5), gaussian(5)
    wide[0, :4] = [np.inf, -np.inf, np.inf, np.nan]
    other[0, :4] = [np.inf, -np.inf, 1, np.nan]
    (row,) = checked(bf16(wide), bf16(other), device)
    assert (row.equal, row.largest_change) == ("no", 0)
    (row,) = checked(bf16(wide), {NAME: wide}, device)
    assert row.equal == "quantization"


@pytest.mark.parametrize("device", DEVICES)
def test_a_row_of_a_block_that_is_all_zeros_allows_any_change(device: str) -> None:
    """It has lost its scale: nothing can be said of it."""
    ours = quantized(gaussian(1))
    ours[NAME].view(np.uint8)[7, 128:] = 0
    (row,) = checked(ours, bf16(gaussian(1)), device)
    assert row.equal == "quantization"


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("beyond", "equal"), [(2.0**-13, "quantization"), (2.0**-11, "no")])
def test_what_scales_may_add_to_the_rounding_is_allowed(
    beyond: float, equal: str, device: str
) -> None:
    """BF16 has neighbours of 1 at a distance of 2^-7."""
    ones = np.ones((4, WIDTH), np.float32)
    (row,) = checked({NAME: ones * np.float32(1 + 2**-8 + beyond)}, bf16(ones), device)
    assert row.equal == equal


@pytest.mark.parametrize("device", DEVICES)
def test_vectors_scalars_and_stacks(device: str) -> None:
    tensors = {
        "model.norm.weight": gaussian(6, 1, 100)[0],
        "model.visual.patch_embed.proj.weight": gaussian(7, 8, 48).reshape(8, 3, 4, 4),
        "model.visual.temperature": np.float32(3.5).reshape(()),
        "model.visual.none": np.zeros((4, 0), np.float32),
    }
    theirs = {name: changed(values) for name, values in tensors.items()}
    assert len(checked(tensors, theirs, device)) == 4


@pytest.mark.parametrize("device", DEVICES)
def test_strips_of_columns_and_rows_that_lie_across(device: str) -> None:
    gate, up = gaussian(8, 256), gaussian(9, 256)
    prefix = "model.layers.0.mlp.experts."
    both = np.concatenate([gate, up]).astype(ml_dtypes.bfloat16)[None].transpose(0, 2, 1)
    fused = {f"{prefix}gate_up_proj": np.ascontiguousarray(both)}
    separate = quantized(up, f"{prefix}0.up_proj.weight")
    (row,) = checked(separate, fused, device)
    assert (row.equal, row.columns) == ("quantization", None)
    (row,) = checked(separate, fused, device, sampled=16)
    assert row.columns is not None


@pytest.mark.parametrize("device", DEVICES)
def test_parts_in_pieces_and_pieces_in_strips(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A part of FP8 is one piece, of F32 several: they are compared row by row all the same."""
    monkeypatch.setattr(cutting, "CHUNK_BYTES", 1 << 16)
    monkeypatch.setattr(device_sums, "_STRIP_VALUES", 50 * WIDTH)
    (row,) = checked(quantized(gaussian(1)), {NAME: gaussian(1)}, device)
    assert row.equal == "quantization"


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", PRECISION, ids=str)
def test_half_units_are_the_same_bits(dtype: Dtype, device: str) -> None:
    """Of every code, and of floats of every exponent, subnormal ones too."""
    if dtype is Dtype.F32:
        raw: Array = np.random.default_rng(0).integers(0, 1 << 32, 1 << 14, dtype=np.uint32)
        raw[:64] = np.arange(64)
    else:
        raw = np.arange(1 << dtype.bits, dtype=np.uint8 if dtype.bits == 8 else np.uint16)
    codes = raw.view(NUMPY_DTYPES[dtype]).reshape(-1, 64)
    there = device_of(device)
    expected = half_units(codes, codes.astype(np.float32), dtype, None)
    found = _of_floats(there, there.plain(codes, dtype), PRECISION[dtype]).cpu().numpy()
    np.testing.assert_array_equal(found, expected, strict=True)


def test_what_has_a_rounding_that_is_known_can_be_decoded_there() -> None:
    assert all(holds(dtype) for dtype in (*PRECISION, *INTEGERS))


def test_nothing_is_compared_as_numbers_that_is_packed() -> None:
    """Two codes a byte in I8: half as many bytes as values, or as many as a strip has columns."""
    scheme = next(one for one in SCHEMES.values() if one.name.startswith("MXFP4 of DeepSeek"))
    checkpoint, _ = opened(stored(scheme, gaussian(11, *SHAPE)))
    other, _ = memory_checkpoint({NAME: gaussian(12, *SHAPE)})
    (pair,) = paired(checkpoint, other).pairs
    sample = replace(sample_of(pair, np.random.default_rng(0), rows=None), columns=(0, 128))
    row = compare_pair(sample, (checkpoint.reader, other.reader))
    assert row.noise is not None
    assert row.noise < 1e-6  # that of F32 alone
