"""What a person's PATTERN or TARGET selects: whole components of names, globs, regexes.

Questions are answered once a template and once a number, not once a name.
"""

import difflib
import re
from collections.abc import Iterable, Sequence
from fnmatch import translate
from itertools import islice
from typing import Final

import numpy as np
import numpy.typing as npt

from inspector.catalog.names import NameColumns, Rows
from inspector.errors import NameNotFound, UsageError
from inspector.layout.names import Role, role_of

Mask = npt.NDArray[np.bool_]

_RANGE: Final = re.compile(r"(\d+)\.\.(\d+)")
_MAX_CHOICES: Final = 100_000
_ANY_DEPTH: Final = "**"


def select(names: NameColumns, pattern: str) -> Rows:
    """The rows whose names a pattern selects, in table order; empty where there are none.

    A full name selects itself alone. Anything else is found on whole components anywhere in a
    name: `layers.3.mlp.experts.20` is not in `layers.3.mlp.experts.200.up_proj.weight`. In a
    component `*` and `?` are wild and `{0..7,9}` or `{gate,up}_proj` lists choices; `**` stands for
    any number of components. `re:` searches the whole name.

    Raises:
        UsageError: an empty pattern or a regex that does not compile.
    """
    if not pattern.strip():
        raise UsageError("an empty pattern selects nothing")
    if pattern.startswith("re:"):
        return _select_regex(names, pattern.removeprefix("re:"))
    exact = names.find(pattern)
    if exact is not None:
        return np.array([exact], dtype=np.int64)
    matchers = [_Matcher(component) for component in _split_components(pattern)]
    mask = np.zeros(len(names), dtype=np.bool_)
    for template_id, template in enumerate(names.templates):
        rows = np.flatnonzero(names.template_ids == template_id)
        mask[rows] |= _match_template(template.components(), names.numbers[rows], matchers)
    return np.flatnonzero(mask)


def select_any(names: NameColumns, patterns: Sequence[str], where: str) -> Rows:
    """The rows that any of the patterns selects, in table order; all rows where there are none.

    Raises:
        NameNotFound: a pattern selects nothing in the checkpoint that is called `where`.
        UsageError: as `select`.
    """
    if not patterns:
        return np.arange(len(names), dtype=np.int64)
    found = []
    for pattern in patterns:
        rows = select(names, pattern)
        if not len(rows):
            raise not_found(names, pattern, where)
        found.append(rows)
    return np.unique(np.concatenate(found))


def select_one_place(names: NameColumns, target: str) -> Rows:
    """The rows of a TARGET: as `select`, and what is found must lie in one place.

    A target without wildcards names one module. Where it is found below several modules, as
    `layers.3` is in a language and in a vision tower, the choices are listed.

    Raises:
        UsageError: the target is ambiguous.
    """
    rows = select(names, target)
    if not is_literal(target):
        return rows
    places: dict[str, int] = {}
    wanted = target.split(".")
    for name in names.texts(rows):
        places.setdefault(_place(name.split("."), wanted), len(places))
        if len(places) > _SHOWN_CHOICES:
            break
    if len(places) > 1:
        shown = list(islice(places, _SHOWN_CHOICES))
        more = ", ..." if len(places) > _SHOWN_CHOICES else ""
        raise UsageError(
            f"{target!r} is in several places: {', '.join(shown)}{more}",
            hint="give more of the name, or a glob to mean all of them",
        )
    return rows


def is_literal(target: str) -> bool:
    """Whether a target is a name or part of one, not a glob or regex."""
    return not target.startswith("re:") and not any(letter in target for letter in "*?{[")


_SHOWN_CHOICES: Final = 5


def nearest_names(names: NameColumns, pattern: str, *, count: int = 3) -> list[str]:
    """Names like a pattern that selected nothing: its numbers, and letters most like its own."""
    labels = [template.fill(["0"] * template.holes) for template in names.templates]
    candidates = [label for label in dict.fromkeys(labels) if role_of(label) is not Role.SCALE]
    neutral = re.sub(r"(?<![^.])\d+(?![^.])", "0", pattern)
    parts = neutral.split(".")
    windows = {
        label: max(
            difflib.SequenceMatcher(
                None, neutral, ".".join(words[start : start + len(parts)])
            ).ratio()
            for words in [label.split(".")]
            for start in range(max(1, len(words) - len(parts) + 1))
        )
        for label in candidates
    }
    best = sorted(windows, key=lambda label: -windows[label])[:count]
    found = []
    wanted = [int(part) for part in parts_that_are_numbers(pattern)]
    for label in best:
        rows = np.flatnonzero(names.template_ids == labels.index(label))
        numbers = names.numbers[rows]
        distance = np.zeros(len(rows), dtype=np.int64)
        for column, number in zip(range(numbers.shape[1]), wanted, strict=False):
            distance += np.abs(numbers[:, column].astype(np.int64) - number)
        found.append(names.name(int(rows[int(distance.argmin())])))
    return found


def not_found(names: NameColumns, pattern: str, where: str) -> NameNotFound:
    """The error for a pattern that selects nothing, with the nearest names."""
    near = nearest_names(names, pattern) if len(names) else []
    hint = f"nearest: {', '.join(near)}" if near else "the checkpoint has no tensors"
    return NameNotFound(f"{where}: nothing matches {pattern!r}", hint=hint)


def parts_that_are_numbers(pattern: str) -> list[str]:
    """The components of a pattern that are numbers."""
    return [part for part in pattern.split(".") if part.isdecimal()]


def parse_numbers(text: str, *, option: str) -> frozenset[int]:
    """A set of layer or expert numbers: `3`, `0..7`, `0-7`, `1,5,10..12`.

    Raises:
        UsageError: anything else.

    >>> sorted(parse_numbers("1,5,10..12", option="--layers"))
    [1, 5, 10, 11, 12]
    """
    numbers: set[int] = set()
    for part in text.split(","):
        found = re.fullmatch(r"\s*(\d{1,6})(?:(?:\.\.|-)(\d{1,6}))?\s*", part)
        if found is None:
            raise UsageError(
                f"{option} {text!r}: {part!r} is no number or range",
                hint="examples: 3 0..7 1,5,10..12",
            )
        first = int(found[1])
        last = int(found[2]) if found[2] else first
        if last < first:
            raise UsageError(f"{option} {text!r}: the range {part} is empty")
        numbers.update(range(first, last + 1))
    return frozenset(numbers)


class _Matcher:
    """One component of a pattern: letters, wildcards, or any number of components (`**`)."""

    def __init__(self, component: str) -> None:
        self.any_depth = component == _ANY_DEPTH
        alternatives = [] if self.any_depth else _expand_braces(component)
        self.words = frozenset(word for word in alternatives if not _is_wild(word))
        wild = [translate(word) for word in alternatives if _is_wild(word)]
        self.wild = re.compile("|".join(wild)) if wild else None

    def matches(self, word: str) -> bool:
        return word in self.words or bool(self.wild and self.wild.match(word))

    def number_mask(self, numbers: npt.NDArray[np.int32]) -> Mask:
        """Which of a column's numbers match."""
        distinct = np.unique(numbers)
        matching = [number for number in distinct.tolist() if self.matches(str(number))]
        return np.isin(numbers, matching)


def _match_template(
    components: tuple[str | None, ...],
    numbers: npt.NDArray[np.int32],
    matchers: Sequence[_Matcher],
) -> Mask:
    """Which rows of one template match, the pattern starting at any component."""
    masks: dict[tuple[int, int], Mask] = {}
    holes = [0]
    for component in components:
        holes.append(holes[-1] + (component is None))
    everything = np.ones(len(numbers), dtype=np.bool_)
    nothing = np.zeros(len(numbers), dtype=np.bool_)

    def match_from(position: int, index: int) -> Mask:
        if index == len(matchers):
            return everything
        key = (position, index)
        if key not in masks:
            masks[key] = compute(position, index)
        return masks[key]

    def compute(position: int, index: int) -> Mask:
        matcher = matchers[index]
        if matcher.any_depth:
            found = match_from(position, index + 1)
            return found | match_from(position + 1, index) if position < len(components) else found
        if position >= len(components):
            return nothing
        component = components[position]
        if component is not None:
            return match_from(position + 1, index + 1) if matcher.matches(component) else nothing
        here = matcher.number_mask(numbers[:, holes[position]])
        return here & match_from(position + 1, index + 1)

    result = nothing
    for start in range(len(components)):
        result = result | match_from(start, 0)
    return result


def _select_regex(names: NameColumns, expression: str) -> Rows:
    try:
        compiled = re.compile(expression)
    except re.error as error:
        raise UsageError(f"re:{expression}: not a regular expression: {error}") from error
    rows = np.arange(len(names), dtype=np.int64)
    found = [bool(compiled.search(name)) for name in names.texts(rows)]
    return np.flatnonzero(np.array(found, dtype=np.bool_))


def _split_components(pattern: str) -> list[str]:
    """Split at dots, but not inside braces: `{0..7}` is one component."""
    parts, depth, current = [], 0, ""
    for letter in pattern:
        depth += (letter == "{") - (letter == "}")
        if letter == "." and depth == 0:
            parts.append(current)
            current = ""
        else:
            current += letter
    return [*parts, current]


def _expand_braces(component: str) -> list[str]:
    """`{a,b}`, `{0..7}` and `{0..7,9}` as alternatives; a lone brace is a letter."""
    found = re.search(r"\{([^{}]*)\}", component)
    if found is None:
        return [component]
    before, after = component[: found.start()], component[found.end() :]
    words: list[str] = []
    for part in found[1].split(","):
        for choice in _choices(part):
            words += _expand_braces(before + choice + after)
            if len(words) > _MAX_CHOICES:
                raise UsageError(f"a component of more than {_MAX_CHOICES:,} choices")
    return words


def _choices(part: str) -> Iterable[str]:
    """The numbers of `0..7`; any other text is itself."""
    ends = _RANGE.fullmatch(part)
    return map(str, range(int(ends[1]), int(ends[2]) + 1)) if ends else [part]


def _is_wild(word: str) -> bool:
    return any(letter in word for letter in "*?[")


def _place(components: list[str], wanted: list[str]) -> str:
    """The name up to and with the part that a target names."""
    width = len(wanted)
    for start in range(len(components) - width + 1):
        if components[start : start + width] == wanted:
            return ".".join(components[: start + width])
    return ".".join(components)
