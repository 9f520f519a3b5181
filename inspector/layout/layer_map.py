"""Which layer of a reference stands for a layer of the model: what is typed for it. Pure."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from inspector.errors import UsageError

LayerMap = Mapping[int, int]
"""Layer of the model -> layer of the reference."""

_RULE: Final = re.compile(r"(?:([1-9]\d{0,2})\*)?l(?://([1-9]\d{0,2}))?([+-]\d{1,4})?")
_PAIR: Final = re.compile(r"(\d{1,6})(?:\.\.(\d{1,6}))?:(\d{1,6})(?:\.\.(\d{1,6}))?")
_HINT: Final = "examples: l+2 2*l l//2 0:3,1:4 0..9:20..29"


def parse_layer_map(
    text: str, layers: Sequence[int], references: Sequence[int], *, option: str
) -> dict[int, int]:
    """The pairs that a rule (`l+2`, `2*l`, `l//2`) or a list (`0:3,1:4`) means.

    A rule gives every layer that has such a reference one; a list is taken as it stands.

    Args:
        text: what was typed.
        layers: layers of the model that have experts.
        references: those of the reference.
        option: the option, for errors.

    Raises:
        UsageError: it is neither, it names a layer that is not there, or it leaves no pair.

    >>> parse_layer_map("l+2", range(4), range(4), option="--layer-map")
    {0: 2, 1: 3}
    >>> parse_layer_map("0:3,1..2:0..1", range(4), range(4), option="--layer-map")
    {0: 3, 1: 0, 2: 1}
    """
    typed = text.replace(" ", "")
    rule = _RULE.fullmatch(typed)
    if rule is None:
        return _listed(text, layers, references, option=option)
    times, over, plus = (int(word) if word else default for word, default in zip(
        rule.groups(), (1, 1, 0), strict=True))  # fmt: skip
    there = frozenset(references)
    found = {layer: times * layer // over + plus for layer in layers}
    found = {layer: other for layer, other in found.items() if other in there}
    if not found:
        raise UsageError(
            f"{option} {text!r}: no layer of the model has such a layer of the reference",
            hint=f"experts are in layers {_range(layers)} and {_range(references)}",
        )
    return found


def _listed(
    text: str, layers: Sequence[int], references: Sequence[int], *, option: str
) -> dict[int, int]:
    found: dict[int, int] = {}
    for part in text.replace(" ", "").split(","):
        pair = _PAIR.fullmatch(part)
        if pair is None:
            raise UsageError(f"{option} {text!r}: {part!r} is no rule and no pair", hint=_HINT)
        first, last, other, end = (None if word is None else int(word) for word in pair.groups())
        ours = _numbers(first, last)
        theirs = _numbers(other, end)
        if not ours or len(ours) != len(theirs):
            raise UsageError(
                f"{option} {text!r}: {part} pairs {len(ours)} layers with {len(theirs)}", hint=_HINT
            )
        for number, known, whose in ((ours, layers, "the model"), (theirs, references, "--ref")):
            missing = sorted(set(number) - set(known))
            if missing:
                raise UsageError(
                    f"{option} {text!r}: {whose} has no experts in layer {missing[0]}",
                    hint=f"there are some in layers {_range(known)}",
                )
        twice = sorted(set(ours) & set(found))
        if twice:
            raise UsageError(f"{option} {text!r}: layer {twice[0]} is named twice")
        found |= dict(zip(ours, theirs, strict=True))
    return found


def described(layer_map: LayerMap) -> str:
    """The shortest rule that gives these pairs, or the pairs.

    >>> described({0: 2, 1: 3}), described({0: 0, 1: 0, 2: 1, 3: 1}), described({0: 3, 5: 2})
    ('l+2', 'l//2', '0:3,5:2')
    """
    if not layer_map:
        return ""
    ours, theirs = list(layer_map), list(layer_map.values())
    offset = theirs[0] - ours[0]
    rules = {"l" + (f"{offset:+d}" if offset else ""): [layer + offset for layer in ours]}
    for factor in (2, 3, 4):
        rules[f"l//{factor}"] = [layer // factor for layer in ours]
        rules[f"{factor}*l"] = [factor * layer for layer in ours]
    found = (rule for rule, made in rules.items() if made == theirs)
    return next(found, ",".join(f"{one}:{other}" for one, other in layer_map.items()))


def _numbers(first: int | None, last: int | None) -> range:
    start = first or 0
    return range(start, (start if last is None else last) + 1)


def _range(numbers: Sequence[int]) -> str:
    return f"{min(numbers)}..{max(numbers)}" if numbers else "none"
