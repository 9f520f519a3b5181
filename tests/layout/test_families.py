import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from inspector.catalog.names import NameColumns, NameColumnsBuilder
from inspector.layout.experts import ExpertKey
from inspector.layout.families import EXPERT_GRAMMARS, MoePart, Projection, moe_part
from inspector.layout.names import Tower, module_path
from inspector.layout.pairing import Pairing
from tests.strategies_arrays import memory_checkpoint

GATE, UP, DOWN = Projection
INDEXES = Path(__file__).parents[3] / "shared" / "data" / "index"

SEPARATE = {
    "DeepSeek-V3, Kimi-K2, GLM, Qwen3-MoE": ("model.layers.3.mlp.experts.1.gate_proj", GATE),
    "Intern-S1, Intern-S1-Pro": ("model.language_model.layers.3.mlp.experts.1.up_proj", UP),
    "Kimi-K2.5": ("language_model.model.layers.3.mlp.experts.1.down_proj", DOWN),
    "Qwen3.5 mtp": ("mtp.layers.3.mlp.experts.1.gate_proj", GATE),
    "Mixtral w1, MiniMax-M2 w1": ("model.layers.3.block_sparse_moe.experts.1.w1", GATE),
    "Mixtral w2, MiniMax-M2 w2": ("model.layers.3.block_sparse_moe.experts.1.w2", DOWN),
    "Mixtral w3, MiniMax-M2 w3": ("model.layers.3.block_sparse_moe.experts.1.w3", UP),
    "DeepSeek-V4 w1": ("layers.3.ffn.experts.1.w1", GATE),
    "DeepSeek-V4 w2": ("layers.3.ffn.experts.1.w2", DOWN),
    "DeepSeek-V4 w3": ("layers.3.ffn.experts.1.w3", UP),
    "Llama-4 taken apart": (
        "language_model.model.layers.3.feed_forward.experts.1.up_proj", UP,
    ),
}  # fmt: skip


@pytest.mark.parametrize("family", SEPARATE)
def test_a_separate_expert_of_each_family_is_found_under_its_own_name(family: str) -> None:
    module, projection = SEPARATE[family]
    checkpoint, _ = memory_checkpoint({f"{module}.weight": np.ones((4, 6), np.float32)})
    inventory = checkpoint.weights.experts
    assert (inventory.layers, inventory.experts(3)) == ((3,), (1,))
    assert inventory.find(ExpertKey(3, 1, projection)).name == f"{module}.weight"


FUSED = {
    "Qwen3-VL": ("model.language_model.layers.3.mlp.experts", "gate_up_proj", (8, 12)),
    "Qwen3.5, transformers v5": ("model.layers.3.mlp.experts", "gate_up_proj", (12, 8)),
    "Llama-4": ("language_model.model.layers.3.feed_forward.experts", "gate_up_proj", (8, 12)),
    "vLLM": ("model.layers.3.mlp.experts", "w13_weight", (12, 8)),
}


@pytest.mark.parametrize("family", FUSED)
def test_a_fused_expert_of_each_family_has_the_name_of_a_separate_one(family: str) -> None:
    module, tensor, shape = FUSED[family]
    values = np.arange(2 * 96, dtype=np.float32).reshape(2, *shape)
    checkpoint, _ = memory_checkpoint({f"{module}.{tensor}": values}, config={"hidden_size": 8})
    book = checkpoint.weights
    names = book.fused_names().texts(np.arange(len(book.fused_names())))
    expected = [f"{module}.{e}.{p}.weight" for e in (0, 1) for p in ("gate_proj", "up_proj")]
    assert names == expected
    up = book.expert(ExpertKey(3, 1, UP))
    own = values[1][:, 6:].T if shape == (8, 12) else values[1][6:]
    np.testing.assert_array_equal(checkpoint.reader.read_values(up, 0, 6), own)


@pytest.mark.parametrize("shape", [(12, 8), (8, 12)], ids=["rows", "columns"])
def test_gate_and_up_of_gpt_oss_take_turns(shape: tuple[int, int]) -> None:
    """transformers `integrations/mxfp4.py`, `modeling_gpt_oss.py`: `gate_up[..., ::2]`."""
    module = "model.layers.0.mlp.experts"
    values = np.arange(2 * 96, dtype=np.float32).reshape(2, *shape)
    bias = np.zeros((2, 12), np.float32)
    checkpoint, _ = memory_checkpoint(
        {f"{module}.gate_up_proj": values, f"{module}.gate_up_proj_bias": bias},
        config={"hidden_size": 8},
    )
    both = values[1] if shape == (12, 8) else values[1].T
    for projection, first in ((GATE, 0), (UP, 1)):
        weight = checkpoint.weights.expert(ExpertKey(0, 1, projection))
        assert weight.shape == (6, 8)
        for start in range(6):
            for stop in range(start + 1, 7):
                found = checkpoint.reader.read_values(weight, start, stop)
                np.testing.assert_array_equal(found, both[first::2][start:stop])


def test_every_family_of_the_table_has_a_form_and_a_test() -> None:
    labels = [f"{module}.weight".replace(".3.", ".#.").replace(".1.", ".#.")
              for module, _ in SEPARATE.values()]  # fmt: skip
    labels += [f"{module}.{tensor}".replace(".3.", ".#.") for module, tensor, _ in FUSED.values()]
    labels += ["model.layers.#.mlp.switch_mlp.up_proj.weight"]
    labels += ["model.layers.#.moe.up_proj.weight", "model.layers.#.mlp.experts.down_proj_bias"]
    unmatched = [g.family for g in EXPERT_GRAMMARS if not any(map(g.match, labels))]
    assert unmatched == []


PARTS = {
    "model.layers.3.mlp.gate.weight": MoePart.ROUTER,
    "model.layers.3.mlp.router.bias": MoePart.ROUTER,
    "model.layers.3.block_sparse_moe.gate.weight": MoePart.ROUTER,
    "layers.3.ffn.gate.tid2eid": MoePart.ROUTER,
    "model.layers.3.feed_forward.router.weight": MoePart.ROUTER,
    "model.layers.3.mlp.shared_expert_gate.weight": MoePart.ROUTER,
    "model.layers.3.mlp.shared_expert.up_proj.weight": MoePart.SHARED_EXPERT,
    "model.layers.3.mlp.shared_experts.up_proj.weight": MoePart.SHARED_EXPERT,
    "layers.3.ffn.shared_experts.w1.weight": MoePart.SHARED_EXPERT,
    "model.layers.3.feed_forward.shared_expert.up_proj.weight": MoePart.SHARED_EXPERT,
    "model.layers.3.mlp.experts.1.up_proj.weight": MoePart.EXPERT,
    "model.layers.3.mlp.experts.gate_up_proj_blocks": MoePart.EXPERT,
    "model.layers.3.mlp.gate_proj.weight": None,
    "model.layers.3.self_attn.q_proj.weight": None,
    "model.embed_tokens.weight": None,
}


@pytest.mark.parametrize("name", PARTS)
def test_what_a_tensor_is_in_a_layer_with_experts(name: str) -> None:
    assert moe_part(name) is PARTS[name]


def _names(path: Path) -> NameColumns:
    builder = NameColumnsBuilder()
    builder.add(sorted(json.loads(gzip.decompress(path.read_bytes()))["weight_map"]))
    return builder.build()


EXPERTS_IN = {
    "Qwen3.5-25B-REAP-A3B-Coding": (40, 180),
    "WizardLM-2-8x22B": (56, 8),
    "kimi2-pcl": (30, 128),
}


@pytest.mark.parametrize("model", EXPERTS_IN)
def test_the_experts_of_a_published_index_are_all_known(model: str) -> None:
    path = INDEXES / f"{model}.model.safetensors.index.json.gz"
    if not path.exists():
        pytest.skip(f"{path} is not here: published indexes are kept apart")
    names = _names(path)
    pairing = Pairing(names)
    layers, experts = EXPERTS_IN[model]
    labels = [template.fill(["#"] * template.holes) for template in pairing.weight_templates]
    counted = 0
    for template_id, label in enumerate(labels):
        found = [grammar for grammar in EXPERT_GRAMMARS if grammar.match(label)]
        if moe_part(label) is MoePart.EXPERT:
            assert [grammar.fused for grammar in found] == [False]
            counted += int((names.template_ids == template_id).sum())
        else:
            assert found == []
    assert counted == 3 * layers * experts
    assert pairing.is_weight().all()
    towers = {module_path(template).tower for template in names.templates}
    assert towers == {Tower.LANGUAGE}
