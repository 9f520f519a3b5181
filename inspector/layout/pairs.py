"""Pairs of experts as they are typed: `layers.3.experts.200=17`."""

from inspector.catalog.names import split_name
from inspector.errors import UsageError
from inspector.layout.names import module_path


def parse_pair(text: str, *, option: str) -> tuple[int, int, int]:
    """The layer and the expert that a pair names, and the reference expert of that layer.

    Raises:
        UsageError: it is no pair.

    >>> parse_pair("model.layers.3.mlp.experts.200=17", option="--verify")
    (3, 200, 17)
    """
    name, _, reference = text.strip().partition("=")
    template, numbers = split_name(name)
    path = module_path(template)
    if path.layer_hole is None or path.expert_hole is None or not _is_number(reference):
        raise UsageError(
            f"{option} {text!r}: not an expert and a reference",
            hint=f"examples: {option} 24, {option} layers.3.experts.200=17",
        )
    return int(numbers[path.layer_hole]), int(numbers[path.expert_hole]), int(reference)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()
