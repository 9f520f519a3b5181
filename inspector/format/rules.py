"""The rules a checkpoint's headers and index are held to: slug, severity, sentence.

Severity says what the reference reader does: `error` for what safetensors 0.8 refuses or what makes
the answer ambiguous, `warning` for what it accepts against its own README or what may be meant so,
`info` for what others refuse by limits of their own. `readers.py` says who accepts what.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from inspector.errors import Place, Problem, Severity

_ERROR, _WARNING, _INFO = Severity.ERROR, Severity.WARNING, Severity.INFO

Rule = tuple[Severity, str]
"""Severity, and a sentence that says what is wrong."""

RULES: Final = MappingProxyType[str, Rule](
    {
        "truncated": (_ERROR, "The file ends before the last tensor does."),
        "trailing_bytes": (_ERROR, "The file goes on after the last tensor."),
        "header_too_large": (_ERROR, "The header is longer than the reference reader accepts."),
        "header_length_past_end": (_ERROR, "The header would end after the file does."),
        "header_not_utf8": (_ERROR, "The header is not UTF-8."),
        "header_not_json": (_ERROR, "The header is not a JSON object."),
        "metadata_not_strings": (_ERROR, "__metadata__ is not a map of strings to strings."),
        "duplicate_key": (_ERROR, "A key occurs twice in one JSON object."),
        "malformed_entry": (_ERROR, "A tensor's entry lacks a field or has one of a wrong type."),
        "unknown_dtype": (_ERROR, "A dtype is not one of the 22 codes of safetensors."),
        "shape_overflow": (_ERROR, "The size of a tensor does not fit in 64 bits."),
        "sub_byte_misaligned": (_ERROR, "A sub-byte tensor does not end on a byte boundary."),
        "span_size_mismatch": (_ERROR, "A tensor's bytes are not shape x dtype."),
        "offsets_reversed": (_ERROR, "A tensor ends before it starts."),
        "overlap": (_ERROR, "Two tensors share bytes."),
        "hole": (_ERROR, "Bytes between tensors belong to none."),
        "metadata_null": (_WARNING, "__metadata__ is null instead of a map or nothing."),
        "header_padding": (
            _WARNING,
            "A header begins or ends with odd white space.",
        ),
        "unknown_field": (_WARNING, "Tensors' entries have fields that readers ignore."),
        "empty_name": (_WARNING, "A tensor's name is empty."),
        "header_over_hub_limit": (
            _INFO,
            "A header is over the 25 MB that the hub's readers take.",
        ),
        "findings_left_out": (_INFO, "A header has more findings than are kept of one."),
        "unreadable_file": (_ERROR, "A file is there and cannot be read."),
        "index_not_json": (_ERROR, "The index is not a JSON object with a weight_map of strings."),
        "unsafe_shard_name": (_ERROR, "The index names a shard outside the checkpoint."),
        "missing_shard": (_ERROR, "The index names a shard that is not there."),
        "index_tensor_absent": (_ERROR, "The index places a tensor in a shard that lacks it."),
        "incomplete_series": (
            _WARNING,
            "There is no index, and not all of shards 1 to n.",
        ),
        "tensor_not_in_index": (_ERROR, "A shard holds a tensor that the index does not name."),
        "shard_not_in_index": (_WARNING, "A .safetensors file is not named by the index."),
        "duplicate_tensor_across_shards": (_ERROR, "Two shards hold a tensor of the same name."),
        "total_size_mismatch": (_WARNING, "metadata.total_size is not the sum of the tensors."),
    }
)
"""slug -> (severity, sentence). The documentation's table is generated from it."""


def problem(
    rule: str,
    where: Place,
    message: str,
    *,
    expected: object,
    found: object,
    rules: Mapping[str, Rule] = RULES,
) -> Problem:
    """A `Problem` of a registered rule, with the rule's severity."""
    return Problem(
        rule=rule,
        severity=rules[rule][0],
        where=where,
        message=message,
        expected=str(expected),
        found=str(found),
    )
