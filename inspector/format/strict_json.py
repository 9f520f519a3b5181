"""JSON as the reference reader takes it: no key lost, no number bent, nothing deeper than 127.

Python's own decoder keeps the last of two equal keys, takes `NaN`, lone surrogates and `1e999`.
"""

import json
import math
import re
from typing import Any, Final

MAX_DEPTH: Final = 127
"""Levels of nesting that serde_json accepts; the object around all others is the first."""

_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")
_SAFE_DIGITS: Final = 300
"""A number of fewer digits fits in a float, whatever they are."""


class Pairs(list[tuple[str, Any]]):
    """A JSON object as its pairs, so that a key that occurs twice is seen."""

    __slots__ = ()


class NotJson(Exception):
    """Where the text stops being JSON, in bytes from its start, and why."""

    def __init__(self, offset: int, reason: str) -> None:
        super().__init__(reason)
        self.offset = offset
        self.reason = reason


def load(text: bytes) -> Any:
    """The value of a JSON text, its objects as `Pairs`.

    Raises:
        UnicodeDecodeError: it is not UTF-8.
        NotJson: it is not JSON, or has a number or a text that no reader could keep.
    """
    characters = text.decode("utf-8")
    try:
        value = json.loads(
            characters,
            object_pairs_hook=Pairs,
            parse_int=_integer,
            parse_float=_finite,
            parse_constant=_refuse_constant,
        )
        if _SURROGATE.search(text):
            _refuse_surrogates(value)
    except json.JSONDecodeError as error:
        offset = len(characters[: error.pos].encode("utf-8"))
        raise NotJson(offset, error.msg) from error
    except (ValueError, RecursionError) as error:
        raise NotJson(0, str(error)) from error
    return value


def _refuse_surrogates(value: Any) -> None:
    """Half a surrogate pair is no character; `json` keeps it, and no UTF-8 can."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            one.encode("utf-8")
        elif isinstance(one, list | tuple):
            waiting += one


def kind_of(value: object) -> str:
    """What JSON calls a value that `load` gave."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    kinds = {Pairs: "object", list: "array", str: "string", int: "number", float: "number"}
    return kinds[type(value)]


def depth_of(value: object) -> int:
    """How deep arrays and objects lie inside each other; 0 for anything else.

    >>> depth_of(load(b'{"a": [1, [2]], "b": {}}'))
    3
    """
    depth = 0
    level = [value]
    while level := [one for one in level if isinstance(one, list)]:
        depth += 1
        level = [item[1] if isinstance(one, Pairs) else item for one in level for item in one]
    return depth


def _integer(word: str) -> int | float:
    """A JSON integer as the reference reads it: `-0` is a float to it, so no size."""
    if word == "-0":
        return -0.0
    if len(word) > _SAFE_DIGITS:
        return _finite(word)
    return int(word)


def _finite(word: str) -> float:
    value = float(word)
    if math.isinf(value):
        raise ValueError("a number out of range")
    return value


def _refuse_constant(word: str) -> None:
    raise ValueError(f"{word} is not JSON")
