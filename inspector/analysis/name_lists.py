"""Long lists of module names as patterns: 623 entries of one config are 20. Pure."""

from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np

from inspector.analysis.config_meaning import Json
from inspector.analysis.listing import number_ranges
from inspector.catalog.names import NameColumnsBuilder

_LONG: Final = 12
"""Names that a list may have and still be shown as it is."""


class Pattern(msgspec.Struct, frozen=True):
    """Names of a list that differ in numbers only, and how many they are."""

    name: str
    entries: int


class Names(msgspec.Struct, frozen=True, kw_only=True):
    """A list of names: as many as it has, as many as differ, and the patterns that these make."""

    entries: int
    unique: int
    patterns: list[Pattern]


def summarised(value: Json) -> Json:
    """A value as a report shows it: long lists of names as `Names`, all else as it is."""
    if (
        isinstance(value, list)
        and len(value) > _LONG
        and all(isinstance(one, str) for one in value)
    ):
        return names_summary(value)
    return value


def names_in(value: Json) -> Names | None:
    """The summary that `summarised` left in a value, also where that was read back from JSON."""
    if isinstance(value, Names):
        return value
    if isinstance(value, dict) and tuple(value) == Names.__struct_fields__:
        return msgspec.convert(value, Names)
    return None


def names_summary(names: Sequence[str]) -> Names:
    """The counts and patterns of a list of names; the patterns' entries add up to `unique`."""
    unique = list(dict.fromkeys(names))
    return Names(entries=len(names), unique=len(unique), patterns=name_patterns(unique))


def name_patterns(names: Sequence[str]) -> list[Pattern]:
    """Names that are alike but for their numbers as one pattern each, in natural order.

    >>> name_patterns(["lm_head", "layers.1.mlp.gate", "layers.0.mlp.gate"])
    [Pattern(name='layers.{0..1}.mlp.gate', entries=2), Pattern(name='lm_head', entries=1)]
    """
    builder = NameColumnsBuilder()
    builder.add(names)
    columns = builder.build()
    columns = columns.take(columns.natural_order())
    patterns = []
    for template_id in dict.fromkeys(columns.template_ids.tolist()):
        template = columns.templates[template_id]
        numbers = columns.numbers[columns.template_ids == template_id]
        ranges = [
            number_ranges(np.unique(numbers[:, hole]).tolist()) for hole in range(template.holes)
        ]
        patterns.append(Pattern(template.fill(ranges), len(numbers)))
    return patterns
