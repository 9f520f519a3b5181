"""Lists of modules that a quantizer leaves alone: how an entry is read, and what it covers. Pure.

Full-size models have hundreds of entries and 145,000 modules: entries without wildcards are looked
up, not tried one by one, with the same answers.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from enum import StrEnum
from fnmatch import translate
from typing import Final


class Syntax(StrEnum):
    """How an entry is read.

    `REGEX`: a regular expression from the start of the name to the end of a component, or a plain
    suffix of any letters (transformers `quantizers/quantizers_utils.py`, `should_convert_module`).
    `NAME`: a whole name, or `re:` and a regular expression from the start (compressed-tensors
    `utils/match.py`, `match_name`). `GLOB`: a shell pattern of the whole name (modelopt).
    """

    REGEX = "regex"
    NAME = "name"
    GLOB = "glob"


_LITERAL: Final = re.compile(r"[\w.-]+")
"""An entry of a `REGEX` list that means itself, but that a dot stands for any letter."""

_BOUNDARY: Final = r"(?:(?<=\.)|(?=\.|$))"
_RE: Final = "re:"

_MOST_REMEMBERED: Final = 4096
"""Parents whose entries are remembered: the modules of a checkpoint come by parent."""


class SkipList:
    """The entries of a list, each under its position, and which of them cover a name.

    An entry that is no regular expression, where one is expected, covers what ends with it.
    """

    def __init__(self, entries: Iterable[str], syntax: Syntax) -> None:
        self.entries = tuple(entries)
        self.syntax = syntax
        self._exact: dict[str, list[int]] = defaultdict(list)
        self._prefixes: dict[int, dict[_Dots, dict[_Letters, list[int]]]] = {}
        self._remembered: dict[str, tuple[int, ...]] = {}
        self._tails: dict[str, list[tuple[str, int]]] = defaultdict(list)
        self._patterns: list[tuple[int, re.Pattern[str]]] = []
        add = {
            Syntax.REGEX: self._add_regex, Syntax.NAME: self._add_name, Syntax.GLOB: self._add_glob,
        }[syntax]  # fmt: skip
        for position, entry in enumerate(self.entries):
            add(position, entry)
        self._bare = tuple(tail for tail in self._tails if not tail.startswith("."))

    def __len__(self) -> int:
        return len(self.entries)

    def covering(self, name: str) -> list[int]:
        """The positions of the entries that cover a module of this name.

        >>> SkipList(["lm_head", "layers.1", "gate"], Syntax.REGEX).covering("layers.1.mlp.gate")
        [1, 2]
        """
        found = list(self._exact.get(name, ()))
        if self._prefixes:
            found += self._prefixed(name)
        if self._tails:
            found += self._ending(name)
        found += [position for position, pattern in self._patterns if pattern.match(name)]
        return sorted(set(found)) if found else found

    def _prefixed(self, name: str) -> tuple[int, ...]:
        """Entries without wildcards that a name starts with, up to the end of a component."""
        above, dot, _ = name.rpartition(".")
        found = self._up_to_dot(above) if dot else ()
        return (*found, *self._as_long_as(name)) if len(name) in self._prefixes else found

    def _up_to_dot(self, name: str) -> tuple[int, ...]:
        """Of a name that goes on after a dot; remembered, for the modules of one parent."""
        if name not in self._remembered:
            if len(self._remembered) > _MOST_REMEMBERED:
                self._remembered.clear()
            at_dot = self._as_long_as(f"{name}.")
            self._remembered[name] = (*self._prefixed(name), *at_dot)
        return self._remembered[name]

    def _as_long_as(self, name: str) -> tuple[int, ...]:
        found: list[int] = []
        for dots, entries in self._prefixes.get(len(name), {}).items():
            found += entries.get(_letters(name, dots), ())
        return tuple(found)

    def _ending(self, name: str) -> Iterator[int]:
        """Entries that a name ends with: the last component tells which to try."""
        last = name[name.rfind(".") :] if "." in name else name
        for entry, position in self._tails.get(last, ()) if "." in last else ():
            if name.endswith(entry):
                yield position
        for bare in self._bare:
            if name.endswith(bare):
                yield from (position for _, position in self._tails[bare])

    def _add_regex(self, position: int, entry: str) -> None:
        if entry:
            tail = entry[entry.rfind(".") :] if "." in entry else entry
            self._tails[tail].append((entry, position))
        if _LITERAL.fullmatch(entry):
            dots = tuple(at for at, letter in enumerate(entry) if letter == ".")
            group = self._prefixes.setdefault(len(entry), {}).setdefault(dots, defaultdict(list))
            group[_letters(entry, dots)].append(position)
        else:
            self._add_pattern(position, f"(?:{entry}){_BOUNDARY}")

    def _add_name(self, position: int, entry: str) -> None:
        if entry.startswith(_RE):
            self._add_pattern(position, entry.removeprefix(_RE))
        else:
            self._exact[entry].append(position)

    def _add_glob(self, position: int, entry: str) -> None:
        if any(letter in entry for letter in "*?["):
            self._add_pattern(position, translate(entry))
        else:
            self._exact[entry].append(position)

    def _add_pattern(self, position: int, pattern: str) -> None:
        try:
            self._patterns.append((position, re.compile(pattern)))
        except re.error:
            return


_Dots = tuple[int, ...]
_Letters = tuple[str, ...]


def _letters(text: str, dots: _Dots) -> _Letters:
    """The letters of a text that must agree: those between the dots of an entry."""
    starts = (0, *(dot + 1 for dot in dots))
    return tuple(text[start:stop] for start, stop in zip(starts, (*dots, len(text)), strict=True))
