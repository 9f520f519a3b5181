"""What other readers do with a file that breaks a rule: where some pass over it, it is found late.

The tests run safetensors 0.8.0 and huggingface_hub 2.4.0 on the hostile checkpoint of each rule.
huggingface.js 2.17.5 and hf-mem 0.5.6 were run on the same files through the test hub, once, in
2026-11. Loaders such as transformers open shards with safetensors.
"""

from collections.abc import Iterable
from types import MappingProxyType
from typing import Final

import msgspec

ACCEPTS: Final = "accepts"
REFUSES: Final = "refuses"


class ReaderVerdicts(msgspec.Struct, frozen=True):
    """What readers do with a file that breaks a rule.

    `accepts`, `refuses`, or null where the rule is about something that the reader never looks at.
    An error of any kind counts as refusal, one by accident too.
    """

    rule: str
    safetensors: str | None
    huggingface_hub: str | None
    huggingface_js: str | None
    hf_mem: str | None


_WORDS: Final = MappingProxyType({"a": ACCEPTS, "r": REFUSES, "-": None})
_COLUMNS: Final = MappingProxyType(
    {
        "truncated": "raaa",
        "trailing_bytes": "raaa",
        "header_too_large": "rrrr",
        "header_length_past_end": "rraa",
        "header_not_utf8": "raar",
        "header_not_json": "rrrr",
        "metadata_not_strings": "raaa",
        "duplicate_key": "aaaa",
        "malformed_entry": "rrra",
        "unknown_dtype": "raar",
        "shape_overflow": "raaa",
        "sub_byte_misaligned": "raar",
        "span_size_mismatch": "raaa",
        "offsets_reversed": "rara",
        "overlap": "raaa",
        "hole": "raaa",
        "metadata_null": "aaaa",
        "header_padding": "aaaa",
        "unknown_field": "aaaa",
        "empty_name": "aaaa",
        "header_over_hub_limit": "arra",
        "findings_left_out": "----",
        "unreadable_file": "----",
        "index_not_json": "-rar",
        "unsafe_shard_name": "-arr",
        "missing_shard": "-rrr",
        "incomplete_series": "-rrr",
        "index_tensor_absent": "-aaa",
        "tensor_not_in_index": "-aaa",
        "shard_not_in_index": "-aaa",
        "duplicate_tensor_across_shards": "-aaa",
        "total_size_mismatch": "-aaa",
    }
)
"""A letter for each reader, in the order of the fields."""

VERDICTS: Final = MappingProxyType(
    {
        rule: ReaderVerdicts(rule, *(_WORDS[letter] for letter in letters))
        for rule, letters in _COLUMNS.items()
    }
)
"""slug -> verdicts. The documentation's table is generated from it."""


def verdicts_on(rules: Iterable[str]) -> list[ReaderVerdicts]:
    """The verdicts on these rules, each once, in their order."""
    return [VERDICTS[rule] for rule in dict.fromkeys(rules)]
