"""The rules a quantized checkpoint is held to: slug, severity, sentence.

`error` is what makes a loader compute with wrong numbers or none; `warning` what a reader of the
config would be misled by, or some loader; `info` what is allowed and good to know.
"""

from types import MappingProxyType
from typing import Final

from inspector.errors import Place, Problem, Severity
from inspector.format.rules import Rule, problem

_ERROR, _WARNING, _INFO = Severity.ERROR, Severity.WARNING, Severity.INFO

AUDIT_RULES: Final = MappingProxyType[str, Rule](
    {
        "missing_scale": (_ERROR, "Codes have no scale beside them."),
        "orphan_scale": (_ERROR, "A scale has no weight beside it."),
        "scale_shape": (_ERROR, "A scale does not fit its weight, in shape or in dtype."),
        "listed_but_quantized": (
            _ERROR,
            "A module is in the list of those left alone, and stored quantized.",
        ),
        "unlisted_but_unquantized": (
            _ERROR,
            "A module should be quantized by the config or as its like, and is not.",
        ),
        "scale_not_finite": (_ERROR, "A scale is NaN or infinite."),
        "nan_codes": (_ERROR, "Codes are NaN or infinite in blocks whose scale is sound."),
        "zero_point_range": (_ERROR, "A zero point is NaN, or no value that a code has."),
        "packed_shape": (
            _ERROR,
            "The shape stored beside packed codes, or beside a bitmask, does not fit them.",
        ),
        "code_places": (
            _ERROR,
            "A group index or a bitmask, which say where codes or values lie, does not fit them.",
        ),
        "dead_skip_entry": (_WARNING, "An entry of the list names nothing that is there."),
        "ambiguous_skip_entry": (
            _WARNING,
            "An entry of the list covers modules stored quantized and others that are not.",
        ),
        "loader_disagreement": (
            _WARNING,
            "Loaders differ in whether a module is quantized, or all from what is stored.",
        ),
        "scale_not_power_of_two": (_WARNING, "Declared ue8m0, and scales are no powers of two."),
        "scale_not_minimal": (
            _WARNING,
            "Scales are powers of two, and half as large would have done.",
        ),
        "zero_scale": (_WARNING, "A scale is zero: all it covers is."),
        "saturated_codes": (
            _INFO,
            "More codes are at the largest value than the rounding explains.",
        ),
        "not_decoded": (
            _INFO,
            "Weights are of a scheme that is told and not decoded: no number is looked into.",
        ),
        "scale_in_other_shard": (_INFO, "A scale lies in another shard than its weight."),
    }
)
"""slug -> (severity, sentence). The documentation's table is generated from it."""


AUDIT_ADVICE: Final = MappingProxyType(
    {
        "missing_scale": "Look whether a shard is missing (`check`): nothing decodes them without.",
        "orphan_scale": "Look for the weight under another name, or in a shard that is missing.",
        "scale_shape": "Do not load it: who derives the block from the grid decodes it wrong.",
        "listed_but_quantized": "Take the entry out, or loaders read its codes as numbers.",
        "unlisted_but_unquantized": "List it, or loaders look for a scale that is not there.",
        "scale_not_finite": "Quantize these weights again: all that is computed with them is NaN.",
        "nan_codes": "Quantize these weights again, with a cast that saturates.",
        "zero_point_range": "Quantize again, or look for which width of code the points are.",
        "packed_shape": "Compare with the model's shape: columns would be cut or made up.",
        "code_places": "Do not load it: codes would be scaled as others, or read in other places.",
        "dead_skip_entry": "Look which module was meant: it may be unlisted under its true name.",
        "ambiguous_skip_entry": "Write out the modules that are left alone.",
        "loader_disagreement": "List modules by their whole names, which all loaders read alike.",
        "scale_not_power_of_two": "Decode by the stored dtype; loaders that believe it round them.",
        "scale_not_minimal": "Not wrong, and a bit less exact than it could be.",
        "zero_scale": "Compare with the unquantized weights: what was not zero there is lost.",
        "saturated_codes": "Compare with the unquantized weights: the largest were cut off.",
        "not_decoded": "Only names, shapes and dtypes of these weights are judged.",
        "scale_in_other_shard": "Read all shards before scales are paired with weights.",
    }
)
"""slug -> what to do about it."""


def finding(
    rule: str, tensor: str | None, message: str, *, expected: object, found: object
) -> Problem:
    """A finding of an audit, at a tensor or a pattern of tensors' names."""
    where = Place(tensor=tensor)
    return problem(rule, where, message, expected=expected, found=found, rules=AUDIT_RULES)
