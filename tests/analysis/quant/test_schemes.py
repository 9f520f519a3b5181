"""Audits of weights that are stored in other ways: fused, packed, by channel, by tensor."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest

from inspector.analysis.quant.audit import Audit, audit, audit_facts
from inspector.analysis.quant.chosen import Chosen
from inspector.analysis.quant.summary import observed_of
from inspector.format.codings import E2M1, Coding, Number
from tests.decode.quantized import pack
from tests.encoding import Encoded, encode, encode_range, two_a_byte
from tests.quantized import (
    BF16,
    BLOCK,
    E4M3,
    Model,
    audited,
    awq,
    bitsandbytes,
    bitsandbytes_state,
    config_of,
    gptq,
    normal,
    opened,
    quantize,
    rules_of,
)
from tests.schemes import SCHEMES, stored_by

HIDDEN, NEURONS = 256, 256
GATE_UP = "model.layers.0.mlp.experts.gate_up_proj"
DOWN = "model.layers.0.mlp.experts.down_proj"


def fused(*, transposed: bool) -> Model:
    """Two experts in two tensors: `[E, out, in]`, or `[E, in, out]` with scales alike."""
    rng = np.random.default_rng(5)
    tensors = {"model.norm.weight": normal(rng, HIDDEN)}
    for name, shape in ((GATE_UP, (2 * NEURONS, HIDDEN)), (DOWN, (HIDDEN, NEURONS))):
        pages = [quantize(normal(rng, *shape).astype(np.float64)) for _ in range(2)]
        codes, scales = (np.stack([page[part] for page in pages]) for part in (0, 1))
        if transposed:
            codes, scales = (np.ascontiguousarray(a.transpose(0, 2, 1)) for a in (codes, scales))
        tensors |= {name: codes, f"{name}_scale_inv": scales}
    return Model(tensors, config_of(["model.norm"], layers=1, experts=2))


@pytest.mark.parametrize("transposed", [False, True])
def test_fused_experts_are_looked_into_one_by_one(*, transposed: bool) -> None:
    model = fused(transposed=transposed)
    found = audited(model)
    assert rules_of(found) == []
    observed = observed_of(found)
    assert observed.quantized_modules == 2
    assert (observed.looked_into.weights, observed.looked_into.scales) == (6, 2 * (8 + 4))
    assert observed.looked_into.blocks == 2 * (8 + 4)


@pytest.mark.parametrize("transposed", [False, True])
def test_nan_in_one_half_of_a_fused_tensor_is_found(*, transposed: bool) -> None:
    model = fused(transposed=transposed)
    model.tensors[GATE_UP].view(np.uint8)[1, 200, 200] = 0x7F
    found = audited(model)
    assert rules_of(found) == ["nan_codes"]
    assert found.findings[0].where.tensor == GATE_UP


def test_a_fused_scale_that_does_not_tile_its_pages_is_found() -> None:
    model = fused(transposed=False)
    model.tensors[f"{GATE_UP}_scale_inv"] = model.tensors[f"{GATE_UP}_scale_inv"][:, :1]
    assert rules_of(audited(model)) == ["scale_shape"]


def test_a_fused_tensor_whose_axes_cannot_be_told_is_said_to_be_left_out() -> None:
    model = fused(transposed=False)
    model.config["hidden_size"] = 77
    found = audited(model)
    assert rules_of(found) == []
    looked = observed_of(found).looked_into
    assert (looked.weights, looked.axes_unknown) == (0, 2)


def test_codes_of_fused_experts_packed_along_their_inputs_are_judged() -> None:
    """modelopt's `[E, in / 2, out]`: each expert by itself, and one that is clipped is found."""
    rng = np.random.default_rng(8)
    claim = {"quantization": {"quant_algo": "NVFP4", "exclude_modules": ["model.norm"]}}
    model = Model({"model.norm.weight": normal(rng, 64)}, {"hidden_size": 64, "model_type": "m"})
    model.others["hf_quant_config.json"] = claim
    for name, (rows, columns) in ((GATE_UP, (96, 64)), (DOWN, (64, 48))):
        coded = encode(
            rng.standard_normal((2 * rows, columns)), E2M1, (1, 16), "exact",
            stored=lambda scale: np.asarray(scale.astype(E4M3), np.float64),
        )  # fmt: skip
        codes = two_a_byte(coded.codes).reshape(2, rows, columns // 2)
        scales = coded.scale.astype(E4M3).reshape(2, rows, columns // 16)
        model.tensors |= {
            name: np.ascontiguousarray(codes.transpose(0, 2, 1)),
            f"{name}_weight_scale": np.ascontiguousarray(scales.transpose(0, 2, 1)),
            f"{name}_weight_scale_2": np.array(1, np.float32),
        }
    found = audited(model)
    assert rules_of(found) == []
    looked = observed_of(found).looked_into
    assert (looked.weights, looked.with_codes) == (6, 6)
    assert looked.blocks == 2 * (96 * 4 + 64 * 3)
    model.tensors[GATE_UP][1, :, 20:60] = 0x77
    (finding,) = audited(model).findings
    assert (finding.rule, finding.where.tensor) == ("saturated_codes", GATE_UP)


def of_groups(tensors: dict[str, Any], weights: dict[str, Any], form: str) -> Model:
    groups = {"group_0": {"targets": ["Linear"], "weights": weights}}
    claim = {"quant_method": "compressed-tensors", "format": form, "ignore": ["lm_head"]}
    config = {"model_type": "m", "quantization_config": {**claim, "config_groups": groups}}
    return Model({"lm_head.weight": np.ones((4, 64), dtype=BF16), **tensors}, config)


def packed_int4(rows: int = 4, columns: int = 64) -> Model:
    module = "language_model.model.layers.0.mlp.down_proj"
    tensors = {
        f"{module}.weight_packed": np.full((rows, columns // 8), 0x5B5B5B5B, dtype=np.int32),
        f"{module}.weight_scale": np.ones((rows, columns // 32), dtype=BF16),
        f"{module}.weight_shape": np.array([rows, columns], dtype=np.int64),
    }
    weights = {"num_bits": 4, "type": "int", "strategy": "group", "group_size": 32,
               "symmetric": True}  # fmt: skip
    return of_groups(tensors, weights, "pack-quantized")


def test_packed_integers_are_quantized_modules_of_their_true_shape() -> None:
    found = audited(packed_int4())
    assert rules_of(found) == []
    (family,) = observed_of(found).quantized
    assert (family.scheme, family.shape, family.block) == ("packed integer", (4, 64), (1, 32))
    assert observed_of(found).looked_into.blocks == 4 * 2


def test_a_scale_of_packed_integers_that_is_not_finite_is_found() -> None:
    model = packed_int4()
    model.tensors["language_model.model.layers.0.mlp.down_proj.weight_scale"][1, 1] = np.inf
    assert rules_of(audited(model)) == ["scale_not_finite"]


def test_a_scheme_that_is_not_decoded_is_named() -> None:
    tensors: dict[str, Any] = {}
    for layer in range(3):
        tensors |= gptq(f"model.layers.{layer}.self_attn.o_proj", 16, 64)
    found = audited(Model(tensors, {"model_type": "m"}))
    (finding,) = found.findings
    assert (finding.rule, str(finding.severity)) == ("not_decoded", "info")
    assert "GPTQ stores zero points as they are or less one, and no config" in finding.message
    observed = observed_of(found)
    (family,) = observed.quantized
    assert (family.name, family.modules) == ("model.layers.{0..2}.self_attn.o_proj", 3)
    assert (family.scheme, family.kind) == ("GPTQ", "linear")
    assert observed.unquantized == []
    assert observed.looked_into.weights == 0


def nested_nf4() -> Model:
    """Two matrices of bitsandbytes, whose scales are codes too."""
    tensors: dict[str, Any] = {}
    for layer in range(2):
        module = f"model.layers.{layer}.self_attn.o_proj"
        tensors |= bitsandbytes(module, 16, 64)
        tensors |= {
            f"{module}.weight.absmax": np.arange(16, dtype=np.uint8),
            f"{module}.weight.nested_absmax": np.ones(1, np.float32),
            f"{module}.weight.nested_quant_map": np.linspace(-1, 1, 256, dtype=np.float32),
            f"{module}.weight.quant_state.bitsandbytes__nf4": bitsandbytes_state(
                (16, 64), nested_blocksize=256, nested_offset=2.0
            ),
        }
    return Model(tensors, {"model_type": "m", "quantization_config": {"quant_method": "bnb"}})


LAST = "model.layers.1.self_attn.o_proj.weight"
OF_BITSANDBYTES: dict[str, tuple[str, Any, str]] = {
    "nan": ("nested_absmax", np.array([np.nan], np.float32), "scale_not_finite"),
    "zero": ("nested_quant_map", np.full(256, -2, np.float32), "zero_scale"),
    "state": ("quant_state.bitsandbytes__nf4", bitsandbytes_state((16, 32)), "packed_shape"),
    "no state": ("quant_state.bitsandbytes__nf4", np.zeros(9, np.uint8), "packed_shape"),
    "count": ("absmax", np.zeros(15, np.uint8), "scale_shape"),
}


@pytest.mark.parametrize("fault", OF_BITSANDBYTES)
def test_scales_of_bitsandbytes_are_judged_as_they_are_decoded(fault: str) -> None:
    """Two families: by the tensors' shapes, or by what was read."""
    model = nested_nf4()
    found = audited(model)
    assert rules_of(found) == []
    (family,) = observed_of(found).quantized
    assert (family.scheme, family.block, family.modules) == ("bitsandbytes NF4", (1, 64), 2)
    assert observed_of(found).looked_into.scales == 32
    part, spoilt, rule = OF_BITSANDBYTES[fault]
    model.tensors[f"{LAST}.{part}"] = spoilt
    found = audited(model)
    assert rules_of(found) == [rule]
    assert found.findings[0].where.tensor == LAST.removesuffix(".weight")


def test_gptq_is_looked_into_where_the_config_says_how_its_zero_points_are_stored() -> None:
    config = {"model_type": "m", "quantization_config": {"quant_method": "gptq", "bits": 4}}
    module = "model.layers.0.self_attn.o_proj"
    found = audited(Model(gptq(module, 16, 64), config))
    assert rules_of(found) == []
    (family,) = observed_of(found).quantized
    assert (family.scheme, family.shape, family.granularity) == ("GPTQ", (16, 64), "channel")
    assert observed_of(found).looked_into.scales == 16


@pytest.mark.parametrize(("store", "method"), [(gptq, "gptq"), (awq, "awq")])
def test_codes_packed_across_rows_or_along_them_are_looked_into(
    store: Callable[[str, int, int], dict[str, Any]], method: str
) -> None:
    """Whose codes are all at one end is clipped, by whichever order they are packed in."""
    module = "model.layers.0.self_attn.o_proj"
    claim = {"quant_method": method, "bits": 4, "group_size": 64}
    tensors = store(module, 16, 64)
    tensors[f"{module}.qweight"][:] = -1
    found = audited(Model(tensors, {"model_type": "m", "quantization_config": claim}))
    observed = observed_of(found)
    assert (observed.looked_into.with_codes, observed.looked_into.blocks) == (1, 16)
    assert rules_of(found) == ["saturated_codes"]
    (finding,) = found.findings
    assert finding.found == f"{16 * 63:,} of {16 * 63:,}"


def test_codes_in_the_order_of_activations_are_judged_by_their_own_groups() -> None:
    """GPTQ with `desc_act`: a run of columns has codes of many groups; the figures are the same."""
    rng = np.random.default_rng(9)
    weight = rng.standard_normal((64, 256)) * 2.0 ** rng.normal(0, 2, (64, 1))
    coded = encode_range(weight, Coding(Number.OFFSET, 4), (1, 64))
    assert coded.zero is not None
    module = "model.layers.0.self_attn.o_proj"
    claim = {"quant_method": "gptq", "bits": 4, "group_size": 64, "checkpoint_format": "gptq_v2"}
    codes = {}
    for name, order in (("as they are", np.arange(256)), ("mixed", rng.permutation(256))):
        tensors = {
            f"{module}.qweight": np.ascontiguousarray(pack(coded.codes[:, order], 4, 32).T),
            f"{module}.qzeros": pack((coded.zero + 8).astype(np.uint8).T, 4, 32),
            f"{module}.scales": np.ascontiguousarray(coded.scale.astype(np.float16).T),
            f"{module}.g_idx": (order // 64).astype(np.int32),
        }
        found = audited(Model(tensors, {"model_type": "m", "quantization_config": claim}))
        assert rules_of(found) == []
        (evidence,) = found.evidence.values()
        codes[name] = evidence.codes
    assert codes["mixed"].blocks == 64 * 4
    np.testing.assert_equal(asdict(codes["mixed"]), asdict(codes["as they are"]))


INDEXES = {
    "a group that is not there": np.append(np.arange(255) // 64, 4),
    "one below zero": np.append(np.arange(255) // 64, -2),
    "too short": np.arange(192) // 64,
    "too long": np.arange(320) // 80,
    "a group left out": np.where(np.arange(256) < 64, 3, np.arange(256) // 64),
    "groups of other sizes": np.arange(256) * 4 // 257,
    "none": np.zeros(0),
}
OWNERS = ("GPTQ", "compressed-tensors")


@pytest.mark.parametrize("sample", [0, 1, None])
@pytest.mark.parametrize("why", INDEXES)
@pytest.mark.parametrize("owner", OWNERS)
def test_a_group_index_that_is_not_that_of_its_codes_is_one_finding(
    owner: str, why: str, sample: int | None
) -> None:
    """Such a weight was left out of what is looked into, and nothing said so."""
    modules = [f"model.layers.{layer}.mlp.down_proj" for layer in range(2)]
    rng = np.random.default_rng(4)
    if owner == "GPTQ":
        claim = {"quant_method": "gptq", "bits": 4, "group_size": 64}
        model = Model({}, {"model_type": "m", "quantization_config": claim})
    else:
        weights = {"num_bits": 4, "type": "int", "group_size": 64, "symmetric": False}
        model = of_groups({}, weights, "pack-quantized")
    for module in modules:
        coded = encode_range(rng.standard_normal((16, 256)), Coding(Number.OFFSET, 4), (1, 64))
        if owner == "GPTQ":
            model.tensors |= gptq_of(module, coded)
        else:
            model.tensors |= {
                f"{module}.weight_packed": pack(coded.codes, 4, 32),
                f"{module}.weight_shape": np.array([16, 256]),
                f"{module}.weight_scale": coded.scale.astype(np.float32),
                f"{module}.weight_g_idx": np.arange(256, dtype=np.int32) // 64,
            }
    assert rules_of(audited(model)) == []
    index = next(name for name in model.tensors if name.startswith(modules[1]) and "g_idx" in name)
    model.tensors[index] = INDEXES[why].astype(np.int32)
    found = audited(model, sample=sample)
    told = [] if sample == 0 else ["code_places"]
    assert rules_of(found) == told
    assert [one.where.tensor for one in found.findings] == [modules[1]] * len(told)


def gptq_of(module: str, coded: Encoded) -> dict[str, Any]:
    """Codes with zero points as AutoGPTQ stores them, these less one."""
    assert coded.zero is not None
    return {
        f"{module}.qweight": np.ascontiguousarray(pack(coded.codes, 4, 32).T),
        f"{module}.qzeros": pack((coded.zero + 7).astype(np.uint8).T & 15, 4, 32),
        f"{module}.scales": np.ascontiguousarray(coded.scale.astype(np.float16).T),
        f"{module}.g_idx": np.arange(coded.codes.shape[1], dtype=np.int32)
        // (coded.codes.shape[1] // coded.scale.shape[1]),
    }


def test_a_bitmask_that_is_not_that_of_its_codes_is_one_finding() -> None:
    """Such a mask ended the audit."""
    rng = np.random.default_rng(5)
    module = "model.layers.0.mlp.down_proj"
    dense = rng.standard_normal((16, 128))
    dense[:, 0::4] = dense[:, 2::4] = 0
    coded = encode(dense, Coding(Number.E4M3, 8), (1, 128), "exact")
    tensors = {
        f"{module}.compressed": coded.codes.view(E4M3)[:, 1::2].copy(),
        f"{module}.bitmask": np.full((16, 16), 0b10101010, np.uint8),
        f"{module}.shape": np.array([[16], [128]], np.int64),
        f"{module}.weight_scale": coded.scale.astype(np.float32),
    }
    model = of_groups(tensors, {"num_bits": 8, "type": "float"}, "float-quantized")
    assert rules_of(audited(model)) == []
    assert observed_of(audited(model)).looked_into.with_codes == 1
    tensors[f"{module}.bitmask"][3, 3] = 0b10101011
    found = audited(Model({**model.tensors, **tensors}, model.config))
    assert [(one.rule, one.where.tensor) for one in found.findings] == [("code_places", module)]


def test_scales_of_mlx_that_e4m3_can_hardly_hold_name_no_rounding() -> None:
    """They are bytes there, and blocks under subnormal ones were judged as all others are."""
    rng = np.random.default_rng(8)
    scheme = SCHEMES["NVFP4 of MLX"]
    stored = stored_by(scheme, np.random.default_rng(8))
    for module in stored.weights:
        largest = 6 * 2.0**-9 * rng.uniform(0.6, 0.98, (64, 16, 1))
        weight = (largest * rng.uniform(-1, 1, (64, 16, 16))).reshape(64, 256)
        weight[:, ::16] = largest[:, :, 0]
        stored.store(module, scheme.encoded(weight))
    found = audited(stored.model)
    assert rules_of(found) == []
    assert observed_of(found).rounding is None
    assert observed_of(found).looked_into.blocks == 30 * 64 * 16


IGNORED_CLASSES = {
    "Linear": (["listed_but_quantized"], True),
    "Qwen3MoeRMSNorm": (["unlisted_but_unquantized"], False),
    "linear": (["dead_skip_entry", "unlisted_but_unquantized"], False),
}


@pytest.mark.parametrize("entry", IGNORED_CLASSES)
def test_a_class_in_the_list_of_compressed_tensors_is_no_dead_name(entry: str) -> None:
    """`Linear` covers every linear layer; of what other classes cover, names do not tell."""
    model = packed_int4()
    module = "language_model.model.layers.0.self_attn.o_proj"
    model.tensors[f"{module}.weight"] = np.ones((4, 64), dtype=BF16)
    model.config["quantization_config"]["ignore"] = ["lm_head", entry]
    found = audited(model)
    expected, covers = IGNORED_CLASSES[entry]
    rules = [rule for rule in rules_of(found) if rule != "loader_disagreement"]
    assert [rule.replace("ambiguous_skip_entry", "listed_but_quantized") for rule in rules] == (
        expected
    )
    (family,) = (one for one in observed_of(found).unquantized if "o_proj" in one.name)
    assert bool(family.listed) == covers


def test_a_scale_by_channel_covers_a_row() -> None:
    rng = np.random.default_rng(6)
    weight = normal(rng, 256, 256).astype(np.float64)
    scale = (np.abs(weight).max(axis=1, keepdims=True) / 448).astype(np.float32)
    module = "model.layers.0.self_attn.o_proj"
    tensors = {
        f"{module}.weight": (weight / scale).astype(np.float32).astype(E4M3),
        f"{module}.weight_scale": scale,
    }
    model = of_groups(tensors, {"num_bits": 8, "type": "float"}, "float-quantized")
    found = audited(model)
    assert rules_of(found) == []
    observed = observed_of(found)
    assert (observed.rounding, observed.looked_into.blocks) == ("amax/448", 256)
    assert observed.quantized[0].granularity == "channel"


@pytest.mark.parametrize("sample", [1, None])
def test_one_scale_for_a_small_weight_is_judged_by_all_of_its_codes(sample: int | None) -> None:
    rng = np.random.default_rng(7)
    weight = normal(rng, 256, 128).astype(np.float64)
    scale = np.float32(np.abs(weight).max() / 448)
    module = "model.layers.0.self_attn.o_proj"
    tensors = {
        f"{module}.weight": (weight / scale).astype(np.float32).astype(E4M3),
        f"{module}.weight_scale": np.array([scale]),
    }
    model = of_groups(tensors, {"num_bits": 8, "type": "float"}, "float-quantized")
    observed = observed_of(audited(model, sample=sample))
    assert (observed.rounding, observed.looked_into.blocks) == ("amax/448", 1)


def test_a_weight_that_is_read_in_pieces_has_the_figures_of_the_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(8)
    codes, scale = quantize(normal(rng, 5 * BLOCK + 9, 256).astype(np.float64), "amax/448")
    module = "model.layers.0.self_attn.o_proj"
    tensors = {f"{module}.weight": codes, f"{module}.weight_scale_inv": scale}
    model = Model(tensors, config_of([], layers=1, experts=0))
    whole = observed_of(audited(model))
    monkeypatch.setattr("inspector.analysis.quant.sample._PIECE", 256 * 2 * BLOCK)
    assert observed_of(audited(model)) == whole
    assert whole.looked_into.blocks == 12


def audited_experts(model: Model, experts: set[int]) -> Audit:
    checkpoint, _ = opened(model)
    facts = audit_facts(checkpoint.weights, checkpoint.claim, Chosen(experts=frozenset(experts)))
    return audit(facts, facts.looks(None), checkpoint.reader)


def test_of_fused_experts_only_those_chosen_are_looked_into() -> None:
    model = fused(transposed=False)
    model.tensors[GATE_UP].view(np.uint8)[1, 200, 200] = 0x7F
    assert rules_of(audited_experts(model, {0})) == []
    found = audited_experts(model, {1})
    assert rules_of(found) == ["nan_codes"]
    observed = observed_of(found)
    assert (observed.quantized_modules, observed.unquantized_modules) == (2, 0)
    assert observed.looked_into.weights == 3


def test_infinite_codes_are_told_from_nan() -> None:
    stored = stored_by(SCHEMES["F8_E5M2 by block F32"], np.random.default_rng(0), layers=1)
    module = "model.layers.0.self_attn.k_proj"
    stored.model.tensors[f"{module}.weight"].view(np.uint8)[:2, 0] = [0x7C, 0xFE]
    found = audited(stored.model)
    (finding,) = found.findings
    assert (finding.rule, finding.where.tensor) == ("nan_codes", module)
    assert finding.found == "1 NaN and 1 infinite codes in 6 blocks"
    numbers = observed_of(found).numbers
    assert (numbers.nan_codes, numbers.infinite_codes) == (1, 1)


@pytest.mark.parametrize("scheme", ["NVFP4 of modelopt", "NVFP4 packed"])
@pytest.mark.parametrize(("value", "rule"), [(0, "zero_scale"), (np.inf, "scale_not_finite")])
def test_a_second_scale_that_is_no_use_leaves_the_codes_below_out(
    scheme: str, value: float, rule: str
) -> None:
    stored = stored_by(SCHEMES[scheme], np.random.default_rng(0), layers=1)
    module = "model.layers.0.self_attn.k_proj"
    before = observed_of(audited(stored.model)).looked_into.blocks
    stored.model.tensors[f"{module}.{stored.scheme.second}"][:] = value
    stored.model.tensors[f"{module}.{stored.scheme.scale_name}"].view(np.uint8)[0, 0] = 0x38
    found = audited(stored.model)
    assert [(one.rule, one.where.tensor) for one in found.findings] == [(rule, module)]
    assert observed_of(found).looked_into.blocks < before


def test_the_producers_of_two_formats_are_named_apart() -> None:
    stored = stored_by(SCHEMES["MXFP4 of DeepSeek, ceil"], np.random.default_rng(0), layers=2)
    other = SCHEMES["F8_E4M3 by block, round"]
    stored.model.config["quantization_config"]["weight_block_size"] = list(other.block)
    for module in [name for name in stored.weights if "self_attn" in name]:
        found = other.encoded(stored.weights[module])
        stored.model.tensors |= other.tensors(module, found)
        del stored.model.tensors[f"{module}.scale"]
    observed = observed_of(audited(stored.model))
    assert observed.rounding == "e2m1: ceil, e4m3: round"
