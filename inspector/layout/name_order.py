"""Where a tensor's name stands before or after a module, in the orders that writers keep. Pure.

A series of shards is filled in the order of the modules (layer 9, layer 10) or of the spelled names
(layer 10, layer 9). Two names are comparable where both hold the words that a target begins with.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Self

from inspector.catalog.names import MAX_DIGITS

Key = tuple[int, ...]
"""Numbers of a name, at the places where the target has numbers."""


class Order(StrEnum):
    """How numbers in names are compared."""

    NUMBERED = "numbered"
    SPELLED = "spelled"


class NamePlace(NamedTuple):
    """What stands before the target's words in a name, and its numbers as far as they compare.

    `rest` is what follows where nothing but the numbers differs, else None.
    """

    before: str
    key: Key
    rest: str | None


@dataclass(frozen=True, slots=True)
class Sought:
    """A target as words: those before its first number, and all from there on."""

    before: tuple[str, ...]
    after: tuple[str, ...]

    @classmethod
    def of(cls, target: str) -> Self | None:
        """The target, or None where no order can be told: it has no number behind a word."""
        words = target.split(".")
        first = next((place for place, word in enumerate(words) if _is_number(word)), 0)
        return cls(tuple(words[:first]), tuple(words[first:])) if first else None

    @property
    def key(self) -> Key:
        return tuple(int(word) for word in self.after if _is_number(word))

    def place(self, name: str) -> NamePlace | None:
        """The place of a name, None where it does not hold the words that the target begins with.

        >>> Sought.of("layers.3.mlp.experts.200").place("model.layers.3.mlp.experts.7.up_proj")
        NamePlace(before='model', key=(3, 7), rest='up_proj')
        >>> Sought.of("layers.3.mlp.experts.200").place("layers.4.self_attn.q_proj.weight")
        NamePlace(before='', key=(4,), rest=None)
        >>> Sought.of("layers.3").place("lm_head.weight") is None
        True
        """
        words = tuple(name.split("."))
        width = len(self.before)
        for start in range(len(words) - width):
            if words[start : start + width] == self.before and _is_number(words[start + width]):
                before = ".".join(words[:start])
                return NamePlace(before, *self._numbers(words[start + width :]))
        return None

    def _numbers(self, words: Sequence[str]) -> tuple[Key, str | None]:
        numbers: list[int] = []
        for wanted, word in zip(self.after, words, strict=False):
            if _is_number(wanted) and _is_number(word):
                numbers.append(int(word))
            elif wanted != word:
                return tuple(numbers), None
        rest = words[len(self.after) :]
        return tuple(numbers), ".".join(rest) if len(words) >= len(self.after) else None


def compare(first: Key, second: Key, order: Order) -> int:
    """-1, 0 or 1, by the numbers that both have.

    >>> compare((9,), (10, 3), Order.NUMBERED), compare((9,), (10, 3), Order.SPELLED)
    (-1, 1)
    >>> compare((3,), (3, 200), Order.NUMBERED)
    0
    """
    width = min(len(first), len(second))
    one, other = _comparable(first[:width], order), _comparable(second[:width], order)
    return (one > other) - (one < other)


def is_in_order(shards: Iterable[Sequence[Key]], order: Order) -> bool:
    """Whether no key of a shard stands before one of a shard to its left."""
    latest: Key | None = None
    for keys in shards:
        if latest is not None and any(compare(latest, key, order) > 0 for key in keys):
            return False
        for key in keys:
            if latest is None or compare(key, latest, order) > 0:
                latest = key
    return True


def _is_number(word: str) -> bool:
    return word.isdecimal() and word.isascii() and len(word) <= MAX_DIGITS


def _comparable(key: Key, order: Order) -> tuple[int | str, ...]:
    return key if order is Order.NUMBERED else tuple(map(str, key))
