"""What a config is held to: a config that breaks it is answered without, and that is a finding."""

from types import MappingProxyType
from typing import Final

from inspector.config.fields import Malformed
from inspector.errors import ConfigError, Place, Problem, Severity
from inspector.format.rules import Rule, problem

CONFIG_RULES: Final = MappingProxyType[str, Rule](
    {
        "malformed_config": (
            Severity.WARNING,
            "A config is no JSON, or a field of it is of a wrong type and counts as absent.",
        )
    }
)
"""slug -> (severity, sentence). The documentation's table is generated from it."""


def malformed_field(one: Malformed) -> Problem:
    """The finding of one field."""
    file, _, path = one.where.partition(": ")
    return problem(
        "malformed_config", Place(shard=file), f"{path} is of a wrong type and counts as absent",
        expected=one.expected, found=one.found, rules=CONFIG_RULES,
    )  # fmt: skip


def unreadable_config(file: str, error: ConfigError) -> Problem:
    """The finding of a file that is no config at all."""
    return problem(
        "malformed_config", Place(shard=file), "the config cannot be read and counts as absent",
        expected="a JSON object", found=str(error), rules=CONFIG_RULES,
    )  # fmt: skip
