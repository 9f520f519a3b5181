"""The command line that asks the same again."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from types import MappingProxyType
from typing import Final

Value = str | int | frozenset[int] | None

_NOTHING: Final[Mapping[str, Value]] = MappingProxyType({})


def similarity_command(
    model: str, refs: Sequence[str], *, seed: int, options: Mapping[str, Value] = _NOTHING
) -> str:
    """The `expert-similarity` of these, quoted for a POSIX shell.

    Args:
        model: what is typed for the model, its commit with it.
        refs: the same for each reference.
        seed: written even where it is the default.
        options: others by their long name; those that are None were not given.

    >>> similarity_command("a b", ["org/name@0f"], seed=0, options={"--layers": frozenset({0, 1})})
    "s1inspect expert-similarity --model 'a b' --ref org/name@0f --seed 0 --layers 0..1"
    """
    words = ["s1inspect", "expert-similarity", "--model", model]
    for ref in refs:
        words += ["--ref", ref]
    words += ["--seed", str(seed)]
    for name, value in options.items():
        if value is not None:
            words += [name, numbers_text(value) if isinstance(value, frozenset) else str(value)]
    return shlex.join(words)


def numbers_text(numbers: Iterable[int]) -> str:
    """Numbers as `--layers` takes them, those in a row as a range.

    >>> numbers_text({7, 0, 1, 2})
    '0..2,7'
    """
    ordered = enumerate(sorted(numbers))
    runs = [[n for _, n in run] for _, run in groupby(ordered, lambda pair: pair[1] - pair[0])]
    return ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}..{run[-1]}" for run in runs)
