"""The matrices of a language model, from its architecture: every parameter that its code has.

Shapes are those of the modules of transformers 5.24 (`models/*/modeling_*.py`) and of the models'
own code; a test holds the sums against models of them that were built without memory.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from inspector.analysis.params.architecture import (
    OVERLAPPING_RATIO,
    Attention,
    CompressedAttention,
    Experts,
    GroupedAttention,
    LatentAttention,
    QkNorm,
    TextModel,
)
from inspector.analysis.params.terms import Component, Term


def text_terms(model: TextModel) -> Iterator[Term]:
    """All matrices of the language model; of experts, a token passes those that it is sent to."""
    matrix = (model.vocabulary, model.hidden)
    yield _term(Component.EMBEDDING, "embed_tokens", matrix)
    yield from layer_terms(model, range(model.layers))
    yield _term(Component.NORMS, "norm", (model.hidden,))
    if model.streams > 1:
        yield from _stream_mixers(model, 1, "hc_head", model.streams, 1)
    if not model.tied:
        yield _term(Component.HEAD, "lm_head", matrix)


def mtp_terms(model: TextModel) -> Iterator[Term]:
    """Modules that predict further tokens (DeepSeek-V3, section 2.2 of its report).

    Each is a decoder layer, a projection of two hidden states to one, and three norms. Embedding
    and head are the model's own; a checkpoint may store them again.
    """
    modules = model.mtp_modules
    if not modules:
        return
    last = _like_last_layer(model)
    one = list(layer_terms(last, range(1)))
    one.append(_term(Component.MTP, "eh_proj", (model.hidden, 2 * model.hidden)))
    one += [_term(Component.MTP, name, (model.hidden,)) for name in ("enorm", "hnorm", "norm")]
    for term in one:
        yield replace(
            term, component=Component.MTP, copies=term.copies * modules, used=term.used * modules
        )


def layer_terms(model: TextModel, layers: Sequence[int]) -> Iterator[Term]:
    """All matrices of some decoder layers."""
    yield from _attention(model.attention, model.hidden, layers)
    count = len(layers)
    for name in ("input_layernorm", "post_attention_layernorm"):
        yield _term(Component.NORMS, name, (model.hidden,), count)
    sparse = sum(layer in model.sparse_layers for layer in layers)
    if sparse < count:
        yield from _mlp(Component.DENSE_MLP, "mlp", model, model.intermediate, count - sparse)
    if sparse and model.experts:
        yield from _experts(model, model.experts, sparse)
    if model.streams > 1:
        mixed = (2 + model.streams) * model.streams
        yield from _stream_mixers(model, 2 * count, "hc", mixed, 3)


def _term(
    component: Component,
    name: str,
    shape: tuple[int, ...],
    copies: int = 1,
    used: int | None = None,
) -> Term:
    return Term(component, name, shape, copies, copies if used is None else used)


def _attention(attention: Attention, hidden: int, layers: Sequence[int]) -> Iterator[Term]:
    match attention:
        case GroupedAttention():
            yield from _grouped(attention, hidden, len(layers))
        case LatentAttention():
            yield from _latent(attention, hidden, len(layers))
        case CompressedAttention():
            yield from _compressed(attention, hidden, layers)


def _grouped(one: GroupedAttention, hidden: int, count: int) -> Iterator[Term]:
    part = Component.ATTENTION
    queries, keys = one.heads * one.head_dim, one.kv_heads * one.head_dim
    for name, width in (("q_proj", queries), ("k_proj", keys), ("v_proj", keys)):
        yield _term(part, name, (width, hidden), count)
        if one.qkv_bias:
            yield _term(part, f"{name}.bias", (width,), count)
    yield _term(part, "o_proj", (hidden, queries), count)
    if one.output_bias:
        yield _term(part, "o_proj.bias", (hidden,), count)
    if one.sinks:
        yield _term(part, "sinks", (one.heads,), count)
    if one.qk_norm is not QkNorm.NONE:
        per_head = one.qk_norm is QkNorm.HEAD
        yield _term(Component.NORMS, "q_norm", (one.head_dim if per_head else queries,), count)
        yield _term(Component.NORMS, "k_norm", (one.head_dim if per_head else keys,), count)


def _latent(one: LatentAttention, hidden: int, count: int) -> Iterator[Term]:
    part, norms = Component.ATTENTION, Component.NORMS
    queries = one.heads * (one.nope_dim + one.rope_dim)
    if one.query_rank:
        yield _term(part, "q_a_proj", (one.query_rank, hidden), count)
        yield _term(norms, "q_a_layernorm", (one.query_rank,), count)
        yield _term(part, "q_b_proj", (queries, one.query_rank), count)
    else:
        yield _term(part, "q_proj", (queries, hidden), count)
    yield _term(part, "kv_a_proj_with_mqa", (one.kv_rank + one.rope_dim, hidden), count)
    yield _term(norms, "kv_a_layernorm", (one.kv_rank,), count)
    yield _term(part, "kv_b_proj", (one.heads * (one.nope_dim + one.value_dim), one.kv_rank), count)
    yield _term(part, "o_proj", (hidden, one.heads * one.value_dim), count)
    if one.bias:
        yield _term(part, "kv_a_proj_with_mqa.bias", (one.kv_rank + one.rope_dim,), count)
        yield _term(part, "o_proj.bias", (hidden,), count)
        if one.query_rank:
            yield _term(part, "q_a_proj.bias", (one.query_rank,), count)
    if one.indexer:
        width = one.indexer.heads * one.indexer.head_dim
        yield _term(part, "indexer.wq_b", (width, one.query_rank or hidden), count)
        yield _term(part, "indexer.wk", (one.indexer.head_dim, hidden), count)
        yield _term(part, "indexer.weights_proj", (one.indexer.heads, hidden), count)
        for name in ("indexer.k_norm", "indexer.k_norm.bias"):
            yield _term(norms, name, (one.indexer.head_dim,), count)


def _compressed(one: CompressedAttention, hidden: int, layers: Sequence[int]) -> Iterator[Term]:
    part, norms, count = Component.ATTENTION, Component.NORMS, len(layers)
    queries = one.heads * one.head_dim
    yield _term(part, "sinks", (one.heads,), count)
    yield _term(part, "q_a_proj", (one.query_rank, hidden), count)
    yield _term(norms, "q_a_norm", (one.query_rank,), count)
    yield _term(part, "q_b_proj", (queries, one.query_rank), count)
    yield _term(part, "kv_proj", (one.head_dim, hidden), count)
    yield _term(norms, "kv_norm", (one.head_dim,), count)
    output = one.output_groups * one.output_rank
    yield _term(part, "o_a_proj", (output, queries // one.output_groups), count)
    yield _term(part, "o_b_proj", (hidden, output), count)
    ratios = [one.ratios[layer] if layer < len(one.ratios) else 0 for layer in layers]
    for ratio in sorted(set(ratios) - {0}):
        yield from _compressor(one, hidden, ratio, ratios.count(ratio))


def _compressor(one: CompressedAttention, hidden: int, ratio: int, count: int) -> Iterator[Term]:
    overlaps = ratio == OVERLAPPING_RATIO
    yield from _pooling("compressor", one.head_dim, hidden, ratio, count, overlaps=overlaps)
    if not overlaps:
        return
    name, indexer = "compressor.indexer", one.indexer
    yield from _pooling(name, indexer.head_dim, hidden, ratio, count, overlaps=overlaps)
    width = indexer.heads * indexer.head_dim
    yield _term(Component.ATTENTION, f"{name}.q_b_proj", (width, one.query_rank), count)
    yield _term(Component.ATTENTION, f"{name}.weights_proj", (indexer.heads, hidden), count)


def _pooling(
    name: str, head_dim: int, hidden: int, ratio: int, count: int, *, overlaps: bool
) -> Iterator[Term]:
    width = head_dim * (2 if overlaps else 1)
    yield _term(Component.ATTENTION, f"{name}.position_bias", (ratio, width), count)
    yield _term(Component.ATTENTION, f"{name}.kv_proj", (width, hidden), count)
    yield _term(Component.ATTENTION, f"{name}.gate_proj", (width, hidden), count)
    yield _term(Component.NORMS, f"{name}.kv_norm", (head_dim,), count)


def _mlp(
    component: Component, name: str, model: TextModel, width: int, count: int
) -> Iterator[Term]:
    for projection in ("gate_proj", "up_proj"):
        yield _term(component, f"{name}.{projection}", (width, model.hidden), count)
    yield _term(component, f"{name}.down_proj", (model.hidden, width), count)


def _experts(model: TextModel, experts: Experts, layers: int) -> Iterator[Term]:
    copies, used = experts.count * layers, min(experts.per_token, experts.count) * layers
    width, part = experts.intermediate, Component.EXPERTS
    for name, rows, columns in (
        ("gate_proj", width, model.hidden),
        ("up_proj", width, model.hidden),
        ("down_proj", model.hidden, width),
    ):
        yield _term(part, f"experts.{name}", (rows, columns), copies, used)
        if experts.biases:
            yield _term(part, f"experts.{name}_bias", (rows,), copies, used)
    yield _term(Component.ROUTER, "gate", (experts.count, model.hidden), layers)
    if experts.router_bias:
        yield _term(Component.ROUTER, "gate.bias", (experts.count,), layers)
    if experts.shared:
        shared = Component.SHARED_EXPERTS
        yield from _mlp(shared, "shared_experts", model, experts.shared, layers)
        if experts.shared_gate:
            yield _term(shared, "shared_expert_gate", (1, model.hidden), layers)


def _stream_mixers(
    model: TextModel, count: int, name: str, width: int, scales: int
) -> Iterator[Term]:
    """Manifold-constrained hyper-connections: `streams` residual streams, mixed before a block."""
    part = Component.HYPER_CONNECTIONS
    yield _term(part, f"{name}.fn", (width, model.streams * model.hidden), count)
    yield _term(part, f"{name}.base", (width,), count)
    yield _term(part, f"{name}.scale", (scales,), count)


def _like_last_layer(model: TextModel) -> TextModel:
    """The model with its first layer like its last: what a module for further tokens is made as."""
    attention = model.attention
    if isinstance(attention, CompressedAttention):
        attention = replace(attention, ratios=attention.ratios[model.layers :])
    sparse = frozenset({0}) if model.layers - 1 in model.sparse_layers else frozenset[int]()
    return replace(model, attention=attention, sparse_layers=sparse)
