"""Loaders against each other and against what is stored, in whole checkpoints."""

from inspector.analysis.quant.summary import loader_table, module_rows
from tests.quantized import Model, audited, quantize, qwen_like, rules_of

SCALE = "weight_scale_inv"


def with_coded(model: Model, module: str) -> Model:
    """The same with one of its modules quantized and no longer listed."""
    codes, scale = quantize(model.tensors[f"{module}.weight"].astype("float64"))
    model.tensors |= {f"{module}.weight": codes, f"{module}.{SCALE}": scale}
    model.skip.remove(module)
    return model


def test_a_quantized_router_is_taken_for_numbers_by_all_loaders() -> None:
    found = audited(with_coded(qwen_like(), "model.layers.1.mlp.gate"))
    assert rules_of(found) == ["loader_disagreement"]
    (finding,) = found.findings
    assert finding.where.tensor == "model.layers.1.mlp.gate"
    assert finding.expected.endswith(": quantized")
    assert finding.found.count("unquantized") == 4


def test_a_quantized_head_is_decoded_by_transformers_alone() -> None:
    found = audited(with_coded(qwen_like(), "lm_head"))
    assert rules_of(found) == ["loader_disagreement"]
    assert "transformers: quantized" in found.findings[0].found
    assert "vllm: unquantized" in found.findings[0].found


def test_a_head_that_no_list_names_is_quantized_by_transformers_alone() -> None:
    model = qwen_like()
    model.skip.remove("lm_head")
    assert rules_of(audited(model)) == ["loader_disagreement"]


def test_without_any_list_the_head_is_left_alone_by_all() -> None:
    model = qwen_like()
    del model.config["quantization_config"]["modules_to_not_convert"]
    vision = [name for name in model.tensors if ".visual." in name]
    for name in vision:
        del model.tensors[name]
    assert rules_of(audited(model)) == []


def test_a_layer_unlike_the_others_is_found_without_a_list() -> None:
    model = qwen_like()
    del model.config["quantization_config"]["modules_to_not_convert"]
    name = "model.layers.2.self_attn.o_proj"
    model.tensors[f"{name}.weight"] = model.tensors[f"{name}.weight"].astype("float32")
    del model.tensors[f"{name}.{SCALE}"]
    found = audited(model)
    assert rules_of(found) == ["unlisted_but_unquantized"]
    assert found.findings[0].where.tensor == name


def test_the_rows_of_modules_add_up_to_the_loaders_counts() -> None:
    found = audited(with_coded(qwen_like(), "lm_head"))
    rows, table = list(module_rows(found)), loader_table(found.facts)
    for name in ("transformers", "vllm", "sglang", "lmdeploy"):
        facts = getattr(table, name)
        verdicts = [getattr(row, name) for row in rows]
        assert verdicts.count("quantized") == facts.quantized
        assert verdicts.count("unquantized") == facts.unquantized
        against = sum((row.quantized) != (getattr(row, name) == "quantized") for row in rows)
        assert against == facts.against_stored
