"""config.json: the few fields that are computed with, typed, and the whole mapping, untouched."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from inspector.errors import ConfigError

CONFIG_NAME: Final = "config.json"

MAX_CONFIG_BYTES: Final = 50_000_000
"""Real ones are under 100 kB; a guard against endless replies."""


class ModelConfig(msgspec.Struct, frozen=True):
    """What a config states. A field that the file lacks is None, never a guess.

    `weight_block_size` is (rows, columns); `raw` is the document as it is.
    """

    raw: dict[str, Any]
    model_type: str | None
    hidden_size: int | None
    layers: int | None
    experts: int | None
    router_groups: int | None
    expert_intermediate_size: int | None
    weight_block_size: tuple[int, int] | None


_EMPTY: Final[Mapping[str, Any]] = {}


def parse_config(text: bytes, *, file: str) -> ModelConfig:
    """A config from its JSON; the text model's fields are looked for in `text_config` first.

    Raises:
        ConfigError: not a JSON object, or a field of a wrong type.
    """
    try:
        raw = msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: not a JSON object: {error}") from error
    text_config = raw.get("text_config")
    text_fields = text_config if isinstance(text_config, dict) else raw
    quantization = raw.get("quantization_config") or text_fields.get("quantization_config")
    quantization = quantization if isinstance(quantization, dict) else _EMPTY
    fields = _Fields(file, {**raw, **text_fields})
    return ModelConfig(
        raw=raw,
        model_type=fields.text("model_type"),
        hidden_size=fields.number("hidden_size"),
        layers=fields.number("num_hidden_layers"),
        experts=fields.number("num_experts", "n_routed_experts", "num_local_experts"),
        router_groups=fields.number("router_n_groups", "n_group"),
        expert_intermediate_size=fields.number("moe_intermediate_size"),
        weight_block_size=_block_size(quantization.get("weight_block_size"), file),
    )


class _Fields:
    """Typed access to a mapping of foreign values, under any of a field's names."""

    def __init__(self, file: str, values: Mapping[str, Any]) -> None:
        self._file = file
        self._values = values

    def number(self, *names: str) -> int | None:
        for name in names:
            value = self._values.get(name)
            if value is None:
                continue
            if type(value) is not int or value < 0:
                raise ConfigError(f"{self._file}: {name} should be a count, is {value!r}")
            return value
        return None

    def text(self, name: str) -> str | None:
        value = self._values.get(name)
        return value if isinstance(value, str) else None


def _block_size(value: object, file: str) -> tuple[int, int] | None:
    if value is None:
        return None
    if (
        isinstance(value, list)
        and len(value) == 2
        and all(type(item) is int and item > 0 for item in value)
    ):
        return value[0], value[1]
    raise ConfigError(f"{file}: weight_block_size should be two positive integers, is {value!r}")
