"""The matrices of a vision tower, for the towers whose modules are known. Pure.

Sources: transformers 5.24 `qwen3_vl_moe` and `llama4`; `modeling_interns1_pro.py` of Intern-S1-Pro,
whose tower has the modules of Qwen3-VL's without the mergers of DeepStack.
"""

from collections.abc import Iterator

from inspector.analysis.config_meaning import Fields
from inspector.analysis.params.terms import Component, Term


def vision_terms(fields: Fields, text_hidden: int) -> Iterator[Term] | None:
    """All matrices of the tower; None where its modules are not known."""
    if fields.count("num_position_embeddings") and fields.count("spatial_merge_size"):
        return _qwen3_vl(fields)
    if fields.text("model_type").startswith("llama4"):
        return _llama4(fields, text_hidden)
    return None


def _term(name: str, shape: tuple[int, ...], copies: int = 1) -> Term:
    return Term(Component.VISION, name, shape, copies, copies)


def _linear(name: str, out: int, into: int, copies: int = 1) -> Iterator[Term]:
    yield _term(name, (out, into), copies)
    yield _term(f"{name}.bias", (out,), copies)


def _layer_norm(name: str, width: int, copies: int = 1) -> Iterator[Term]:
    yield _term(name, (width,), copies)
    yield _term(f"{name}.bias", (width,), copies)


def _qwen3_vl(fields: Fields) -> Iterator[Term]:
    hidden, depth = fields.needed("hidden_size"), fields.needed("depth")
    inner, out = fields.needed("intermediate_size"), fields.needed("out_hidden_size")
    patch, frames = fields.needed("patch_size"), fields.needed("temporal_patch_size")
    channels = fields.count("in_channels") or 3
    yield _term("patch_embed.proj", (hidden, channels, frames, patch, patch))
    yield _term("patch_embed.proj.bias", (hidden,))
    yield _term("pos_embed", (fields.needed("num_position_embeddings"), hidden))
    for name in ("norm1", "norm2"):
        yield from _layer_norm(f"blocks.{name}", hidden, depth)
    yield from _linear("blocks.attn.qkv", 3 * hidden, hidden, depth)
    yield from _linear("blocks.attn.proj", hidden, hidden, depth)
    yield from _linear("blocks.mlp.linear_fc1", inner, hidden, depth)
    yield from _linear("blocks.mlp.linear_fc2", hidden, inner, depth)
    merged = hidden * fields.needed("spatial_merge_size") ** 2
    yield from _merger("merger", hidden, merged, out, 1)
    deep = len(fields.numbers("deepstack_visual_indexes"))
    if deep:
        yield from _merger("deepstack_merger_list", merged, merged, out, deep)


def _merger(name: str, normed: int, merged: int, out: int, copies: int) -> Iterator[Term]:
    yield from _layer_norm(f"{name}.norm", normed, copies)
    yield from _linear(f"{name}.linear_fc1", merged, merged, copies)
    yield from _linear(f"{name}.linear_fc2", out, merged, copies)


def _llama4(fields: Fields, text_hidden: int) -> Iterator[Term]:
    hidden, depth = fields.needed("hidden_size"), fields.needed("depth")
    inner, patch = fields.needed("intermediate_size"), fields.needed("patch_size")
    patches = (fields.needed("image_size") // patch) ** 2
    channels = fields.count("in_channels") or 3
    yield _term("class_embedding", (hidden,))
    yield _term("positional_embedding_vlm", (patches + 1, hidden))
    yield _term("patch_embedding.linear", (hidden, channels * patch * patch))
    for name in ("layernorm_pre", "layernorm_post"):
        yield from _layer_norm(name, hidden)
    for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
        yield from _linear(f"layers.self_attn.{name}", hidden, hidden, depth)
    yield from _linear("layers.mlp.fc1", inner, hidden, depth)
    yield from _linear("layers.mlp.fc2", hidden, inner, depth)
    for name in ("input_layernorm", "post_attention_layernorm"):
        yield from _layer_norm(f"layers.{name}", hidden, depth)
    width, out = fields.needed("projector_input_dim"), fields.needed("out_hidden_size")
    yield _term("vision_adapter.mlp.fc1", (width, inner))
    yield _term("vision_adapter.mlp.fc2", (out, out))
    yield _term("multi_modal_projector.linear_1", (text_hidden, fields.needed("vision_output_dim")))
