"""config.json: the few fields that are computed with, typed, and the whole mapping, untouched."""

from typing import Any, Final

import msgspec

from inspector.config.fields import Fields, Malformed, parse_object
from inspector.config.quantization import QuantConfig, quantization_of

CONFIG_NAME: Final = "config.json"

MAX_CONFIG_BYTES: Final = 50_000_000
"""Real ones are under 100 kB; a guard against endless replies."""


class ModelConfig(msgspec.Struct, frozen=True):
    """What a config states. A field that the file lacks, or has malformed, is None, never a guess.

    `raw` is the document as it is; `malformed` lists the fields of a wrong type.
    """

    raw: dict[str, Any]
    model_type: str | None
    hidden_size: int | None
    layers: int | None
    experts: int | None
    router_groups: int | None
    expert_intermediate_size: int | None
    quantization: QuantConfig | None
    malformed: tuple[Malformed, ...]


def parse_config(text: bytes, *, file: str) -> ModelConfig:
    """A config from its JSON; the text model's fields are looked for in `text_config` first.

    Raises:
        ConfigError: not a JSON object.
    """
    raw = parse_object(text, file=file)
    top = Fields(f"{file}: ", raw)
    inner = top.inside("text_config")
    fields = Fields(top.where, {**raw, **inner.values}, top.malformed) if inner else top
    quantization = quantization_of(raw, file=file)
    return ModelConfig(
        raw=raw,
        model_type=fields.text("model_type"),
        hidden_size=fields.count("hidden_size"),
        layers=fields.count("num_hidden_layers"),
        experts=fields.count("num_experts", "n_routed_experts", "num_local_experts"),
        router_groups=fields.count("router_n_groups", "n_group"),
        expert_intermediate_size=fields.count("moe_intermediate_size"),
        quantization=quantization,
        malformed=(*top.malformed, *(quantization.malformed if quantization else ())),
    )
