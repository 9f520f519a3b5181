"""What each loader takes, on cases where their rules differ.

The rules were also compared with the loaders' own functions, taken out of the wheels that
`VERSIONS` names: 300,000 decisions on drawn lists for each of 6 seeds, with no difference.
"""

from typing import Any

import pytest

from inspector.analysis.quant.loaders import LOADERS, VERSIONS, Loader, Refusal, Verdict, decide
from inspector.config.quantization import QuantConfig, quantization_of
from inspector.layout.modules import ModuleKind

LINEAR, EXPERTS, HEAD = ModuleKind.LINEAR, ModuleKind.EXPERTS, ModuleKind.HEAD
Q, K, V, OUT = (f"model.layers.1.self_attn.{part}_proj" for part in "qkvo")
MOE = "model.layers.1.mlp.experts"
GATE = "model.layers.1.mlp.gate"
VISION = "model.visual.blocks.0.attn.proj"

QUANTIZED, LEFT, REFUSED = Verdict.QUANTIZED, Verdict.UNQUANTIZED, Verdict.REFUSED


def config(method: str, entries: list[str] | None, **more: Any) -> QuantConfig:
    key = {"compressed-tensors": "ignore", "modelopt": "exclude_modules"}
    stated: dict[str, Any] = {"quant_method": method, **more}
    if entries is not None:
        stated[key.get(method, "modules_to_not_convert")] = entries
    found = quantization_of({"quantization_config": stated}, file="config.json")
    assert found is not None
    return found


def verdicts(
    claim: QuantConfig, name: str, kind: ModuleKind = LINEAR, *, beside: tuple[str, ...] = ()
) -> tuple[Verdict, ...]:
    """Of transformers, vllm, sglang and lmdeploy, on one module of a checkpoint."""
    modules = [(name, kind), *((other, LINEAR) for other in beside)]
    return tuple(decide(rule(claim), modules)[0] for rule in LOADERS.values())


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (VISION, (LEFT, LEFT, LEFT, LEFT)),
        ("model.visual", (LEFT, QUANTIZED, LEFT, QUANTIZED)),
        ("attn.proj", (LEFT, QUANTIZED, LEFT, QUANTIZED)),
        ("proj", (LEFT, QUANTIZED, LEFT, QUANTIZED)),
        ("roj", (LEFT, QUANTIZED, QUANTIZED, QUANTIZED)),
        ("visual.blocks", (QUANTIZED, QUANTIZED, LEFT, QUANTIZED)),
        (f"{VISION}.inner", (QUANTIZED, QUANTIZED, QUANTIZED, LEFT)),
        ("model.visual.*", (LEFT, QUANTIZED, QUANTIZED, QUANTIZED)),
    ],
)
def test_an_entry_of_an_fp8_list(entry: str, expected: tuple[Verdict, ...]) -> None:
    assert verdicts(config("fp8", [entry]), VISION) == expected


@pytest.mark.parametrize(
    ("ignored", "expected"),
    [
        ([OUT], (QUANTIZED, LEFT, LEFT, LEFT)),
        ([], (QUANTIZED, QUANTIZED, QUANTIZED, QUANTIZED)),
        (None, (QUANTIZED, QUANTIZED, QUANTIZED, QUANTIZED)),
    ],
    ids=["other", "empty", "null"],
)
def test_of_two_lists_each_loader_reads_its_own(
    ignored: list[str] | None, expected: tuple[Verdict, ...]
) -> None:
    """vllm and lmdeploy read the other list where `ignored_layers` is empty; sglang does not."""
    claim = config("fp8", [VISION], ignored_layers=ignored)
    assert verdicts(claim, OUT) == expected
    read = LEFT if not ignored else QUANTIZED
    assert verdicts(claim, VISION) == (LEFT, read, QUANTIZED, read)


def test_transformers_reads_ignored_layers_where_there_is_no_other_list() -> None:
    assert verdicts(config("fp8", None, ignored_layers=[OUT]), OUT) == (LEFT,) * 4


def test_some_parts_of_a_fused_layer_are_refused_by_two_and_decided_by_others() -> None:
    claim = config("fp8", [Q])
    assert verdicts(claim, Q, beside=(K, V)) == (LEFT, REFUSED, REFUSED, LEFT)
    assert verdicts(claim, K, beside=(Q, V)) == (QUANTIZED, REFUSED, REFUSED, LEFT)
    assert verdicts(claim, K) == (QUANTIZED, QUANTIZED, QUANTIZED, QUANTIZED)
    assert verdicts(config("fp8", [Q, K, V]), K, beside=(Q, V)) == (LEFT,) * 4


def test_an_entry_for_one_expert_leaves_out_all_of_its_layer_in_some_loaders() -> None:
    claim = config("fp8", [f"{MOE}.3.gate_proj"])
    assert verdicts(claim, MOE, EXPERTS) == (QUANTIZED, LEFT, LEFT, LEFT)
    assert verdicts(config("fp8", [f"{MOE}.3.up_proj"]), MOE, EXPERTS)[3] is LEFT
    assert verdicts(config("fp8", [MOE]), MOE, EXPERTS) == (LEFT,) * 4


def test_the_head_is_asked_about_by_transformers_where_there_is_a_list() -> None:
    assert verdicts(config("fp8", []), "lm_head", HEAD) == (QUANTIZED, LEFT, LEFT, LEFT)
    assert verdicts(config("fp8", None), "lm_head", HEAD) == (LEFT,) * 4
    assert verdicts(config("fp8", ["lm_head"]), "lm_head", HEAD) == (LEFT,) * 4


@pytest.mark.parametrize(
    "kind", sorted(set(ModuleKind) - {LINEAR, EXPERTS, HEAD}), ids=str
)  # fmt: skip
def test_routers_embeddings_and_vectors_are_never_quantized(kind: ModuleKind) -> None:
    assert verdicts(config("fp8", []), GATE, kind) == (LEFT,) * 4


def test_whole_names_and_regular_expressions_of_compressed_tensors() -> None:
    groups = {"g": {"targets": ["Linear"], "weights": {"num_bits": 8, "type": "float"}}}
    for entry, expected in (
        (OUT, (LEFT, LEFT, LEFT, REFUSED)),
        ("re:.*o_proj$", (LEFT, LEFT, LEFT, REFUSED)),
        ("self_attn.o_proj", (QUANTIZED, QUANTIZED, LEFT, REFUSED)),
        ("model.layers.1", (QUANTIZED, QUANTIZED, QUANTIZED, REFUSED)),
    ):
        claim = config("compressed-tensors", [entry], config_groups=groups)
        assert verdicts(claim, OUT) == expected, entry


def test_a_class_in_the_list_of_compressed_tensors_is_read_by_the_library_alone() -> None:
    groups = {"g": {"targets": ["Linear"], "weights": {"num_bits": 8, "type": "float"}}}
    claim = config("compressed-tensors", ["Linear"], config_groups=groups)
    assert verdicts(claim, OUT) == (LEFT, QUANTIZED, QUANTIZED, REFUSED)


def test_a_group_for_some_modules_leaves_the_others_alone() -> None:
    groups = {"g": {"targets": ["re:.*experts.*"], "weights": {"num_bits": 4}}}
    claim = config("compressed-tensors", [], config_groups=groups)
    assert verdicts(claim, OUT)[:3] == (LEFT,) * 3
    assert verdicts(claim, MOE, EXPERTS)[:3] == (QUANTIZED,) * 3


def test_without_groups_nothing_is_quantized_of_a_model_that_is_sparse_alone() -> None:
    sparsity = {"format": "sparse-bitmask", "targets": ["Linear"]}
    for ignored in (None, [], ["lm_head"]):
        claim = config("compressed-tensors", ignored, sparsity_config=sparsity)
        assert verdicts(claim, OUT) == (LEFT, LEFT, LEFT, REFUSED)
        assert verdicts(claim, MOE, EXPERTS) == (LEFT, LEFT, LEFT, REFUSED)


def test_lmdeploy_takes_packed_int4_in_groups_of_32() -> None:
    weights = {"num_bits": 4, "type": "int", "group_size": 32, "symmetric": True}
    groups = {"group_0": {"targets": ["Linear"], "weights": weights}}
    claim = config("compressed-tensors", [OUT], config_groups=groups, format="pack-quantized")
    assert verdicts(claim, OUT)[3] is LEFT
    assert verdicts(claim, Q)[3] is QUANTIZED


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("model.layers.1*", (REFUSED, LEFT, LEFT, REFUSED)),
        ("o_proj", (REFUSED, LEFT, LEFT, REFUSED)),
        ("layers.1.self", (REFUSED, LEFT, QUANTIZED, REFUSED)),
        ("*.mlp.*", (REFUSED, QUANTIZED, QUANTIZED, REFUSED)),
    ],
)
def test_an_entry_of_a_modelopt_list(entry: str, expected: tuple[Verdict, ...]) -> None:
    assert verdicts(config("modelopt", [entry], quant_algo="NVFP4"), OUT) == expected


def test_mxfp4_is_for_experts_only() -> None:
    claim = config("mxfp4", ["model.layers.*.self_attn", "lm_head"])
    assert verdicts(claim, OUT) == (LEFT, LEFT, LEFT, REFUSED)
    assert verdicts(claim, MOE, EXPERTS) == (QUANTIZED, QUANTIZED, QUANTIZED, REFUSED)


@pytest.mark.parametrize(
    ("claim", "refusing"),
    [
        (config("fp8", None), set()),
        (config("fp8", None, fmt="float8_e4m3fn"), {"lmdeploy"}),
        (config("fbgemm_fp8", None), {"sglang", "lmdeploy"}),
        (config("modelopt", None, quant_algo="FP8"), {"transformers", "lmdeploy"}),
        (config("awq", None), {"transformers", "vllm", "sglang", "lmdeploy"}),
    ],
    ids=["fp8", "fp8 of minimax", "fbgemm", "modelopt", "awq"],
)
def test_a_loader_refuses_the_methods_it_does_not_know(
    claim: QuantConfig, refusing: set[str]
) -> None:
    refused = {str(one) for one, rule in LOADERS.items() if isinstance(rule(claim), Refusal)}
    assert refused == refusing


def test_every_loader_has_a_version() -> None:
    assert set(VERSIONS) == set(LOADERS) == set(Loader)
