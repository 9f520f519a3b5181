"""Codes and scales of bitsandbytes are judged: NF4 and FP4 in blocks of a run, LLM.int8 by rows."""

import importlib.util
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from inspector.analysis.quant.audit import Audit
from inspector.analysis.quant.summary import observed_of
from inspector.format.codings import FP4, INT8, NF4
from tests.encoding import Float64, encode
from tests.quantized import Array, Model, audited, bitsandbytes_state, rules_of

CODINGS = {"nf4": NF4, "fp4": FP4}
MODULES = tuple(f"model.layers.{layer}.mlp.down_proj" for layer in range(6))
ZERO = {"nf4": 0x77, "fp4": 0x00}
SHAPES = {"in rows": (16, 128), "over rows": (18, 96), "amid bytes": (15, 71)}
BLOCK = 64


def four_bits(
    module: str, weight: Float64, kind: str, *, nested: bool, clipped_by: float = 1.0
) -> dict[str, Array]:
    """A matrix as bitsandbytes quantizes it: by the largest magnitude of each 64 of its values."""
    run = weight.reshape(1, -1)
    found = encode(run, CODINGS[kind], (1, BLOCK), "exact", clipped_by=clipped_by)
    codes = np.append(found.codes[0], [0] * (run.size % 2)).astype(np.uint8)
    name = f"{module}.weight"
    stored: dict[str, Array] = {
        name: ((codes[0::2] << 4) | codes[1::2])[:, None],
        f"{name}.quant_map": np.zeros(16, np.float32),
    }
    scale = found.scale[0].astype(np.float32)
    said: dict[str, float] = {}
    if nested:
        offset = float(scale.mean())
        table = np.linspace(-1, 1, 256, dtype=np.float32)
        off = scale - np.float32(offset)
        inner = np.abs(off).max()
        near = np.abs(off[:, None] / inner - table).argmin(axis=1)
        stored |= {
            f"{name}.absmax": near.astype(np.uint8),
            f"{name}.nested_absmax": np.array([inner], np.float32),
            f"{name}.nested_quant_map": table,
        }
        said = {"nested_blocksize": 256, "nested_offset": offset}
    else:
        stored[f"{name}.absmax"] = scale
    rows, columns = weight.shape
    state = bitsandbytes_state((rows, columns), BLOCK, **said)
    return stored | {f"{name}.quant_state.bitsandbytes__{kind}": state}


def weight_of(module: str, shape: tuple[int, int]) -> Float64:
    rng = np.random.default_rng(MODULES.index(module))
    return np.asarray(rng.standard_normal(shape) * 2.0 ** rng.normal(-5, 1, (shape[0], 1)))


def model_of(kind: str, shape: tuple[int, int], *, nested: bool = False) -> Model:
    tensors: dict[str, Array] = {}
    for module in MODULES:
        tensors |= four_bits(module, weight_of(module, shape), kind, nested=nested)
    claim = {"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": kind}
    return Model(tensors, {"model_type": "llama", "quantization_config": claim})


def numbers_of(found: Audit) -> dict[str, int]:
    numbers = observed_of(found).numbers
    return {
        name: getattr(numbers, name)
        for name in ("not_finite", "zero", "negative", "constant_scales", "dead_weights",
                     "zero_blocks")
    }  # fmt: skip


CLEAN = dict.fromkeys(
    ("not_finite", "zero", "negative", "constant_scales", "dead_weights", "zero_blocks"), 0
)


@pytest.mark.parametrize("nested", [False, True], ids=["numbers", "nested"])
@pytest.mark.parametrize("kind", CODINGS)
@pytest.mark.parametrize("where", SHAPES)
def test_a_sound_model_is_read_whole_and_has_no_findings(
    where: str, kind: str, *, nested: bool
) -> None:
    shape = SHAPES[where]
    found = audited(model_of(kind, shape, nested=nested))
    assert rules_of(found) == []
    assert numbers_of(found) == CLEAN
    observed = observed_of(found)
    blocks = -(-shape[0] * shape[1] // BLOCK)
    assert observed.rounding == "amax/1"
    assert (observed.looked_into.with_codes, observed.looked_into.blocks) == (6, 6 * blocks)
    assert observed.quantized[0].shape == shape


def in_absmax(value: float) -> Callable[[Model, str, str], None]:
    def plant(model: Model, module: str, _: str) -> None:
        model.tensors[f"{module}.weight.absmax"][3] = value

    return plant


def dead_block(model: Model, module: str, kind: str) -> None:
    model.tensors[f"{module}.weight"][BLOCK // 2 : BLOCK] = ZERO[kind]


def dead_weight(model: Model, module: str, kind: str) -> None:
    model.tensors[f"{module}.weight"][:] = ZERO[kind]


def constant_scales(model: Model, module: str, _: str) -> None:
    model.tensors[f"{module}.weight.absmax"][:] = 0.5


def negative(model: Model, module: str, _: str) -> None:
    model.tensors[f"{module}.weight.absmax"][2] *= -1


def clipped(model: Model, module: str, kind: str) -> None:
    shape = model_shape(model, module)
    weight = weight_of(module, shape)
    model.tensors |= four_bits(module, weight, kind, nested=False, clipped_by=4.0)


def model_shape(model: Model, module: str) -> tuple[int, int]:
    count = model.tensors[f"{module}.weight"].size * 2
    return next(one for one in SHAPES.values() if one[0] * one[1] in (count, count - 1))


Fault = tuple[Callable[[Model, str, str], None], list[str], dict[str, int]]
FAULTS: Mapping[str, Fault] = {
    "NaN": (in_absmax(np.nan), ["scale_not_finite"], {"not_finite": 1}),
    "zero": (in_absmax(0), ["zero_scale"], {"zero": 1}),
    "negative": (negative, [], {"negative": 1}),
    "constant": (constant_scales, [], {"constant_scales": 1}),
    "dead block": (dead_block, [], {"zero_blocks": 1}),
    "clipped": (clipped, ["saturated_codes"], {}),
}
"""What is planted, the rules that it breaks, and what is counted of it."""


@pytest.mark.parametrize("kind", CODINGS)
@pytest.mark.parametrize("where", SHAPES)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found_and_nothing_else(fault: str, where: str, kind: str) -> None:
    model = model_of(kind, SHAPES[where])
    plant, rules, counts = FAULTS[fault]
    plant(model, MODULES[1], kind)
    found = audited(model)
    assert rules_of(found) == rules
    assert all(one.where.tensor == MODULES[1] for one in found.findings)
    assert numbers_of(found) == CLEAN | counts


@pytest.mark.parametrize("kind", CODINGS)
@pytest.mark.parametrize("where", SHAPES)
def test_all_faults_together_are_each_found_once(where: str, kind: str) -> None:
    model = model_of(kind, SHAPES[where])
    expected: dict[str, int] = {}
    for module, (plant, _, counts) in zip(MODULES, FAULTS.values(), strict=True):
        plant(model, module, kind)
        expected |= counts
    found = audited(model)
    assert rules_of(found) == sorted(rule for _, rules, _ in FAULTS.values() for rule in rules)
    assert numbers_of(found) == CLEAN | expected


@pytest.mark.parametrize("kind", CODINGS)
def test_a_weight_of_zeros_is_dead(kind: str) -> None:
    model = model_of(kind, (16, 128))
    dead_weight(model, MODULES[0], kind)
    assert numbers_of(audited(model)) == CLEAN | {"dead_weights": 1, "zero_blocks": 32}


@pytest.mark.parametrize("where", SHAPES)
def test_pieces_of_a_weight_have_the_figures_of_the_whole(
    where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pieces begin where a block begins with a row: of 71 columns that is every 64th."""
    model = model_of("nf4", (130, SHAPES[where][1]))
    whole = observed_of(audited(model))
    monkeypatch.setattr("inspector.analysis.quant.sample._PIECE", 300)
    assert observed_of(audited(model)) == whole
    monkeypatch.setattr("inspector.analysis.quant.sample._STRIPE", 2)
    sampled = observed_of(audited(model, sample=2)).looked_into
    assert sampled.with_codes == 2
    assert 0 < sampled.blocks < whole.looked_into.blocks


def test_a_state_that_says_another_shape_than_the_first_has_the_blocks_that_were_planned() -> None:
    model = model_of("nf4", (16, 128))
    name = f"{MODULES[2]}.weight.quant_state.bitsandbytes__nf4"
    model.tensors[name] = bitsandbytes_state((128, 16), BLOCK)
    found = audited(model)
    assert rules_of(found) == []
    looked = observed_of(found).looked_into
    assert (looked.with_codes, looked.blocks) == (6, 6 * 32)


def rows_of_int8(module: str) -> dict[str, Array]:
    found = encode(weight_of(module, (16, 128)), INT8, (1, 128), "exact")
    return {
        f"{module}.weight": found.codes.view(np.int8),
        f"{module}.SCB": (found.scale[:, 0] * 127).astype(np.float32),
        f"{module}.weight_format": np.zeros((), np.uint8),
    }


def of_int8() -> Model:
    tensors: dict[str, Array] = {}
    for module in MODULES:
        tensors |= rows_of_int8(module)
    claim: dict[str, Any] = {"quant_method": "bitsandbytes", "load_in_8bit": True}
    return Model(tensors, {"model_type": "llama", "quantization_config": claim})


def rows_clipped(model: Model, module: str) -> None:
    codes = model.tensors[f"{module}.weight"].astype(np.int64) * 4
    model.tensors[f"{module}.weight"] = np.clip(codes, -127, 127).astype(np.int8)


def in_rows(value: float) -> Callable[[Model, str], None]:
    def plant(model: Model, module: str) -> None:
        model.tensors[f"{module}.SCB"][3] *= value

    return plant


def row_dead(model: Model, module: str) -> None:
    model.tensors[f"{module}.weight"][2] = 0


def rows_constant(model: Model, module: str) -> None:
    model.tensors[f"{module}.SCB"][:] = 0.5


OF_INT8: Mapping[str, tuple[Callable[[Model, str], None], list[str], dict[str, int]]] = {
    "NaN": (in_rows(np.nan), ["scale_not_finite"], {"not_finite": 1}),
    "zero": (in_rows(0), ["zero_scale"], {"zero": 1}),
    "negative": (in_rows(-1), [], {"negative": 1}),
    "constant": (rows_constant, [], {"constant_scales": 1}),
    "dead row": (row_dead, [], {"zero_blocks": 1}),
    "clipped": (rows_clipped, ["saturated_codes"], {}),
}


@pytest.mark.parametrize("fault", OF_INT8)
def test_a_fault_of_llm_int8_is_found_and_nothing_else(fault: str) -> None:
    model = of_int8()
    found = audited(model)
    assert (rules_of(found), numbers_of(found)) == ([], CLEAN)
    (family,) = observed_of(found).quantized
    assert (family.scale_dtype, family.granularity) == ("F32", "channel")
    plant, rules, counts = OF_INT8[fault]
    plant(model, MODULES[1])
    found = audited(model)
    assert rules_of(found) == rules
    assert numbers_of(found) == CLEAN | counts


def test_all_faults_of_llm_int8_together_are_each_found_once() -> None:
    model = of_int8()
    expected: dict[str, int] = {}
    for module, (plant, _, counts) in zip(MODULES, OF_INT8.values(), strict=True):
        plant(model, module)
        expected |= counts
    found = audited(model)
    assert rules_of(found) == sorted(rule for _, rules, _ in OF_INT8.values() for rule in rules)
    assert numbers_of(found) == CLEAN | expected


def test_the_maxima_of_llm_int8_are_its_scale_where_they_do_not_fit() -> None:
    """They were said to be missing."""
    model = of_int8()
    model.tensors[f"{MODULES[0]}.SCB"] = np.ones(15, np.float32)
    assert rules_of(audited(model)) == ["scale_shape"]
    model = of_int8()
    model.second_shard.add(f"{MODULES[0]}.SCB")
    assert rules_of(audited(model)) == ["scale_in_other_shard"]


@pytest.mark.skipif(
    importlib.util.find_spec("bitsandbytes") is None, reason="bitsandbytes is not installed"
)
@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("kind", CODINGS)
@pytest.mark.parametrize("columns", [128, 96, 71])
def test_what_bitsandbytes_quantizes_has_no_findings(
    kind: str, columns: int, *, nested: bool
) -> None:
    """Its zeros do: a block of them has the scale 0, unless that is nested."""
    torch = pytest.importorskip("torch")
    functional = importlib.import_module("bitsandbytes.functional")
    generator = torch.Generator().manual_seed(columns)
    tensors: dict[str, Array] = {}
    for module in MODULES:
        weight = torch.randn(120, columns, generator=generator, dtype=torch.bfloat16)
        codes, state = functional.quantize_4bit(
            weight, compress_statistics=nested, quant_type=kind, blocksize=BLOCK
        )
        beside = state.as_dict(packed=True)
        tensors |= {f"{module}.weight.{name}": one.numpy() for name, one in beside.items()}
        tensors[f"{module}.weight"] = codes.numpy()
    model = model_of(kind, (16, 128))
    model.tensors = tensors
    found = audited(model)
    assert rules_of(found) == []
    assert numbers_of(found) == CLEAN
    assert observed_of(found).rounding == "amax/1"
