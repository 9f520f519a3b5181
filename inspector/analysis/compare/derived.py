"""Quantities that two configs imply: ratios, head sizes, cache, parameters by part. Pure."""

from collections.abc import Iterator

import msgspec

from inspector.analysis.params.architecture import Architecture, GroupedAttention, architecture_of
from inspector.analysis.params.formula import Formula, formula_of
from inspector.analysis.params.memory import cache_memory
from inspector.analysis.params.terms import Component, Conventions
from inspector.config import ModelConfig
from inspector.errors import ConfigError


class Derived(msgspec.Struct, frozen=True, kw_only=True):
    """A quantity of both models; null where one has none. `ratio` is the model's by the other's."""

    quantity: str
    model: int | float | None
    ref: int | float | None
    ratio: float | None


def derived(model: ModelConfig | None, ref: ModelConfig | None) -> list[Derived]:
    """The quantities of two configs, in the order of the model's."""
    ours, theirs = dict(_quantities(model)), dict(_quantities(ref))
    return [
        Derived(
            quantity=name,
            model=ours.get(name),
            ref=theirs.get(name),
            ratio=_ratio(ours.get(name), theirs.get(name)),
        )
        for name in dict.fromkeys([*ours, *theirs])
    ]


def _quantities(config: ModelConfig | None) -> Iterator[tuple[str, int | float]]:
    if config is None:
        return
    try:
        architecture = architecture_of(config)
    except ConfigError:
        return
    formula = formula_of(architecture)
    counts = formula.counts(Conventions())
    text = counts.of("text")
    yield "parameters", counts.total
    yield "parameters_activated", counts.activated
    yield "activated_share", counts.activated / counts.total
    if text:
        yield "text_parameters", text.parameters
        yield "text_activated_share", text.activated / text.parameters
    vision = counts.of("vision")
    if vision:
        yield "vision_parameters", vision.parameters
    yield from _heads(architecture)
    yield from _sparsity(architecture, formula)
    yield "attention_parameters_a_layer", _a_layer(formula, Component.ATTENTION, architecture)
    for component in (Component.EMBEDDING, Component.HEAD):
        yield f"{component}_parameters", _sum_of(formula, component)
    yield "cache_bytes_a_token_bf16", cache_memory(architecture.text, 1)[0].bytes_per_token


def _heads(model: Architecture) -> Iterator[tuple[str, int | float]]:
    attention = model.text.attention
    if isinstance(attention, GroupedAttention):
        yield "head_dim", attention.head_dim
        yield "query_width", attention.heads * attention.head_dim
        yield "query_heads_a_key_head", attention.heads / attention.kv_heads
    if model.vision is not None:
        heads, hidden = model.vision.count("num_heads"), model.vision.count("hidden_size")
        if heads and hidden:
            yield "vision_head_dim", hidden / heads


def _sparsity(model: Architecture, formula: Formula) -> Iterator[tuple[str, int | float]]:
    experts = model.text.experts
    if experts is None:
        return
    one = 3 * model.text.hidden * experts.intermediate
    layers = max(1, len(model.text.sparse_layers))
    yield "experts_used_share", experts.per_token / experts.count
    yield "expert_sparsity", 1 - experts.per_token / experts.count
    yield "expert_parameters", one
    yield "experts_parameters_a_layer", _sum_of(formula, Component.EXPERTS) // layers
    yield "experts_parameters", _sum_of(formula, Component.EXPERTS)
    yield "router_parameters_a_layer", _sum_of(formula, Component.ROUTER) // layers


def _sum_of(formula: Formula, component: Component) -> int:
    return sum(term.each * term.copies for term in formula.terms if term.component is component)


def _a_layer(formula: Formula, component: Component, model: Architecture) -> int:
    return _sum_of(formula, component) // model.text.layers


def _ratio(model: float | None, ref: float | None) -> float | None:
    return None if model is None or not ref else model / ref
