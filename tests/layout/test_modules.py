import pytest

from inspector.catalog.names import split_name
from inspector.layout.modules import ModuleKind, loaded_as, module_kind


@pytest.mark.parametrize(
    ("name", "axes", "kind"),
    [
        ("model.layers.0.self_attn.q_proj.weight", 2, ModuleKind.LINEAR),
        ("model.layers.0.mlp.shared_experts.up_proj.weight", 2, ModuleKind.LINEAR),
        ("model.layers.0.mlp.gate_proj.weight", 2, ModuleKind.LINEAR),
        ("model.layers.0.mlp.experts.7.up_proj.weight", 2, ModuleKind.EXPERTS),
        ("layers.0.ffn.experts.7.w1.weight", 2, ModuleKind.EXPERTS),
        ("model.layers.0.mlp.experts.gate_up_proj", 3, ModuleKind.EXPERTS),
        ("model.layers.0.mlp.experts.gate_up_proj_bias", 1, ModuleKind.VECTOR),
        ("model.layers.0.mlp.gate.weight", 2, ModuleKind.ROUTER),
        ("model.layers.0.mlp.router.weight", 2, ModuleKind.ROUTER),
        ("model.layers.0.block_sparse_moe.gate.weight", 2, ModuleKind.ROUTER),
        ("lm_head.weight", 2, ModuleKind.HEAD),
        ("model.layers.78.shared_head.head.weight", 2, ModuleKind.OTHER),
        ("model.embed_tokens.weight", 2, ModuleKind.EMBEDDING),
        ("embed.weight", 2, ModuleKind.EMBEDDING),
        ("model.visual.pos_embed.weight", 2, ModuleKind.EMBEDDING),
        ("model.visual.patch_embed.proj.weight", 5, ModuleKind.OTHER),
        ("model.norm.weight", 1, ModuleKind.VECTOR),
        ("model.rotary_emb.sin_coef", 3, ModuleKind.OTHER),
    ],
)
def test_the_kind_of_a_module(name: str, axes: int, kind: ModuleKind) -> None:
    assert module_kind(split_name(name)[0], axes) is kind


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("model.layers.3.mlp.experts.200.up_proj", "model.layers.3.mlp.experts"),
        ("model.layers.3.mlp.experts.gate_up_proj", "model.layers.3.mlp.experts"),
        ("model.layers.3.mlp.shared_experts.up_proj", "model.layers.3.mlp.shared_experts.up_proj"),
    ],
)
def test_the_experts_of_a_layer_are_one_module_to_a_loader(name: str, unit: str) -> None:
    assert loaded_as(name) == unit
