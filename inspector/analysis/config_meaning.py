"""What the keys of a config.json mean: sections, and one name for the many that families use.

The names are those of the configuration classes of transformers 5 and of the checkpoints' own
`configuration_*.py`. Pure; an unknown key means itself, in the section it stands in.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from inspector.errors import ConfigError

Json = Any
"""A value of a JSON document."""


class Section(StrEnum):
    """The parts of a config, in the order in which they are shown."""

    TEXT = "text"
    VISION = "vision"
    QUANTIZATION = "quantization"
    TOKENS = "tokens"
    REST = "rest"


SYNONYMS: Final = MappingProxyType(
    {
        "hidden_size": ("n_embd", "d_model", "dim"),
        "num_hidden_layers": ("n_layer", "n_layers", "num_layers"),
        "num_attention_heads": ("n_head", "n_heads"),
        "num_key_value_heads": ("n_kv_heads", "num_kv_heads", "multi_query_group_num"),
        "intermediate_size": ("ffn_dim", "n_inner"),
        "max_position_embeddings": ("n_positions", "max_sequence_length", "seq_length"),
        "rms_norm_eps": ("norm_eps", "layer_norm_eps", "layernorm_epsilon"),
        "num_experts": ("n_routed_experts", "num_local_experts", "moe_num_experts"),
        "num_experts_per_tok": ("experts_per_token", "num_experts_per_token", "moe_topk", "moe_k"),
        "n_shared_experts": ("num_shared_experts", "moe_num_shared_experts"),
        "moe_intermediate_size": ("expert_intermediate_size",),
        "router_n_groups": ("n_group", "num_expert_group"),
        "decoder_sparse_step": ("moe_layer_freq", "interleave_moe_layer_step"),
        "num_nextn_predict_layers": ("num_mtp_modules", "mtp_num_hidden_layers"),
        "dtype": ("torch_dtype",),
        "tie_word_embeddings": ("tie_embeddings",),
    }
)
"""A key of the text model -> the other names that it has elsewhere."""

VISION_SYNONYMS: Final = MappingProxyType(
    {
        "depth": ("num_hidden_layers",),
        "num_heads": ("num_attention_heads",),
        "in_channels": ("num_channels", "in_chans"),
        "hidden_size": ("embed_dim",),
        "out_hidden_size": ("projector_output_dim",),
        "rms_norm_eps": ("norm_eps", "layer_norm_eps"),
    }
)
"""A key of the vision tower -> the other names that it has elsewhere."""

_TEXT_OBJECTS: Final = ("text_config", "llm_config", "language_config")
_VISION_OBJECTS: Final = ("vision_config", "visual", "vit_config")
_QUANTIZATION_OBJECTS: Final = ("quantization_config", "compression_config")
_ROPE_OBJECTS: Final = ("rope_scaling", "rope_parameters")
_TOKEN_ENDINGS: Final = ("_token_id", "_token_index", "_token_ids")
_TEXT_EVERYWHERE: Final = frozenset({"tie_word_embeddings", "dtype", "torch_dtype"})
"""Keys that say something of the text model although they may stand beside `text_config`."""

_OF_NO_MODEL: Final = frozenset({"architectures", "transformers_version", "auto_map", "model_type"})


def _meanings(table: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    return {name: meaning for meaning, names in table.items() for name in names}


_BY_NAME: Final = MappingProxyType(
    {Section.TEXT: _meanings(SYNONYMS), Section.VISION: _meanings(VISION_SYNONYMS)}
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One value of a config: what it means, and the key it stands under in the file."""

    section: Section
    meaning: str
    key: str
    value: Json

    @property
    def path(self) -> str:
        return f"{self.section}.{self.meaning}"


def entries(raw: Mapping[str, Json]) -> Iterator[Entry]:
    """Every value of a config by meaning; `rope_scaling` and `rope_parameters` taken apart."""
    nested = any(isinstance(raw.get(name), dict) for name in _TEXT_OBJECTS)
    for key, value in raw.items():
        section = _section_of_object(key)
        if section is not None and isinstance(value, dict):
            yield from _entries_of(section, value, key)
        elif key.endswith(_TOKEN_ENDINGS):
            yield Entry(Section.TOKENS, key, key, value)
        elif key in _OF_NO_MODEL or (nested and key not in _TEXT_EVERYWHERE):
            yield Entry(Section.REST, key, key, value)
        else:
            yield from _entries_of(Section.TEXT, {key: value}, "")


def object_of(raw: Mapping[str, Json], section: Section) -> Mapping[str, Json] | None:
    """The object of a section: nested, or for the text model the whole config. None if absent."""
    names = {
        Section.TEXT: _TEXT_OBJECTS,
        Section.VISION: _VISION_OBJECTS,
        Section.QUANTIZATION: _QUANTIZATION_OBJECTS,
    }[section]
    for name in names:
        if isinstance(raw.get(name), dict):
            found: Mapping[str, Json] = raw[name]
            return {**_shared(raw), **found} if section is Section.TEXT else found
    return raw if section is Section.TEXT else None


class Fields:
    """Typed access by meaning to one section's object; null is the same as absent."""

    def __init__(self, values: Mapping[str, Json], section: Section = Section.TEXT) -> None:
        self._values = values
        self._synonyms = VISION_SYNONYMS if section is Section.VISION else SYNONYMS

    def get(self, meaning: str) -> Json:
        for name in (meaning, *self._synonyms.get(meaning, ())):
            if self._values.get(name) is not None:
                return self._values[name]
        return None

    def count(self, meaning: str) -> int | None:
        """A number of things.

        Raises:
            ConfigError: the value is none.
        """
        value = self.get(meaning)
        if value is None:
            return None
        if type(value) is not int or not 0 <= value < 2**40:
            raise ConfigError(f"config.json: {meaning} should be a count, is {value!r}")
        return value

    def needed(self, meaning: str) -> int:
        """A count without which nothing can be computed.

        Raises:
            ConfigError: the config has none.
        """
        value = self.count(meaning)
        if not value:
            names = ", ".join((meaning, *self._synonyms.get(meaning, ())))
            raise ConfigError(f"config.json states no {meaning}", hint=f"looked for {names}")
        return value

    def flag(self, meaning: str) -> bool:
        return self.get(meaning) is True

    def text(self, meaning: str) -> str:
        value = self.get(meaning)
        return value if isinstance(value, str) else ""

    def numbers(self, meaning: str) -> tuple[int, ...]:
        value = self.get(meaning)
        is_list = isinstance(value, list) and all(type(item) is int for item in value)
        return tuple(value) if is_list else ()


def _shared(raw: Mapping[str, Json]) -> dict[str, Json]:
    return {key: value for key, value in raw.items() if key in _TEXT_EVERYWHERE}


def _section_of_object(key: str) -> Section | None:
    if key in _TEXT_OBJECTS:
        return Section.TEXT
    if key in _VISION_OBJECTS:
        return Section.VISION
    return Section.QUANTIZATION if key in _QUANTIZATION_OBJECTS else None


def _entries_of(section: Section, values: Mapping[str, Json], place: str) -> Iterator[Entry]:
    by_name = _BY_NAME.get(section, {})
    for key, value in values.items():
        where = f"{place}.{key}" if place else key
        if section is Section.TEXT and key in _ROPE_OBJECTS and isinstance(value, dict):
            yield from _rope(value, where)
        elif _section_of_object(key) is Section.QUANTIZATION and isinstance(value, dict):
            yield from _entries_of(Section.QUANTIZATION, value, where)
        elif section is Section.TEXT and key.endswith(_TOKEN_ENDINGS):
            yield Entry(Section.TOKENS, key, where, value)
        else:
            yield Entry(section, by_name.get(key, key), where, value)


def _rope(values: Mapping[str, Json], place: str) -> Iterator[Entry]:
    """The keys of a rope object; `rope_theta` may also stand beside it, `type` is `rope_type`."""
    for key, value in values.items():
        meaning = "rope_type" if key == "type" else key
        if not meaning.startswith("rope_"):
            meaning = f"rope.{meaning}"
        yield Entry(Section.TEXT, meaning, f"{place}.{key}", value)
