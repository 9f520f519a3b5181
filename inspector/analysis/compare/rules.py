"""The rules of `compare`: a difference is a finding, and its severity says how much it matters."""

from types import MappingProxyType
from typing import Final

from inspector.errors import Severity

COMPARE_RULES: Final = MappingProxyType(
    {
        "config_changed": (Severity.WARNING, "A field of the model's config has another value."),
        "config_in_one": (Severity.WARNING, "A field of the model's config is in one file only."),
        "config_beside": (Severity.INFO, "A field that does not describe the model differs."),
        "setting_changed": (Severity.INFO, "A setting of generation_config.json differs."),
        "special_token_changed": (Severity.WARNING, "A token with a role is another one."),
        "token_changed": (Severity.WARNING, "An added token has another number."),
        "token_in_one": (Severity.INFO, "An added token is in one vocabulary only."),
        "file_in_one": (Severity.INFO, "A file beside the weights is in one repository only."),
        "thinking_switch": (Severity.INFO, "One chat template alone can turn thinking off."),
        "tensor_in_one": (Severity.WARNING, "Tensors are in one checkpoint only."),
        "tensor_shape": (Severity.WARNING, "Tensors of the same name have other shapes."),
        "tensor_storage": (
            Severity.INFO,
            "The same tensors are stored in another dtype or layout.",
        ),
        "weights_changed": (Severity.WARNING, "Weights differ by more than rounding."),
        "weights_rounded": (Severity.INFO, "Weights differ by rounding alone."),
    }
)
"""slug -> (severity, sentence)."""
