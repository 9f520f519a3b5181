"""What hypothesis draws for several tests: spans, tensor names, tensors and whole files."""

import json
import math
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from inspector.format.dtypes import Dtype
from inspector.format.spans import Span
from tests.hostile.build import shard

spans = st.tuples(st.integers(0, 256), st.integers(0, 256)).map(lambda ends: Span(*sorted(ends)))
"""Spans of a file of 256 bytes, empty ones too."""

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
"""Any text that UTF-8 can hold: line ends, NUL, quotes, backslashes."""

components = st.one_of(
    st.sampled_from(["layers", "experts", "mlp", "weight", "x2", "", "#", "-1"]),
    st.sampled_from(["0", "1", "2", "10", "007", "00", "999999999", "1000000000", "1" * 30]),
    st.sampled_from(
        ["\u0663", "\u00b2", "\uff11", "1\n", "\n", "\x00", "\r", "\u2028", "1_0", "+1"]
    ),
    st.integers(0, 2**33).map(str),
    texts,
)
"""Parts of a dotted name: words, numbers, and what only looks like a number."""

dotted_names = st.lists(components, min_size=1, max_size=5).map(".".join)
"""Tensor names, mostly plausible, often hostile."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor of a drawn file; `start` and `stop` count from the end of the header."""

    name: str
    dtype: Dtype
    shape: tuple[int, ...]
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Shard:
    """A drawn file that breaks no rule: what it holds, and its bytes."""

    metadata: dict[str, str] | None
    tensors: tuple[Tensor, ...]
    text: bytes
    data: bytes

    @property
    def content(self) -> bytes:
        return shard(self.text, self.data)


@st.composite
def valid_shards(draw: st.DrawFn) -> Shard:
    """Files of any dtypes, shapes and names, with a header in any order and spelling."""
    metadata = draw(st.none() | st.dictionaries(texts, texts, max_size=3))
    tensors = draw(_tensors())
    members: list[tuple[str, Any]] = [
        (tensor.name, dict(draw(st.permutations(_fields(tensor))))) for tensor in tensors
    ]
    if draw(st.booleans()):
        members = draw(st.permutations(members))
    if metadata is not None:
        members.insert(draw(st.integers(0, len(members)) | st.just(0)), ("__metadata__", metadata))
    text = json.dumps(
        dict(members),
        ensure_ascii=draw(st.booleans()),
        separators=draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,", "\n:\t")])),
        indent=draw(st.sampled_from([None, 1])),
    )
    text += draw(st.sampled_from(["", " ", "   ", "\n"]))
    data = bytes(number % 251 for number in range(tensors[-1].stop if tensors else 0))
    return Shard(metadata, tensors, text.encode(), data)


@st.composite
def _tensors(draw: st.DrawFn) -> tuple[Tensor, ...]:
    names = draw(st.lists(texts | dotted_names, max_size=5, unique=True))
    tensors: list[Tensor] = []
    for name in names:
        if name == "__metadata__":
            continue
        dtype = draw(st.sampled_from(Dtype))
        shape = draw(st.lists(st.integers(0, 4), max_size=3))
        if math.prod(shape) * dtype.bits % 8:
            shape.append(4)
        start = tensors[-1].stop if tensors else 0
        stop = start + math.prod(shape) * dtype.bits // 8
        tensors.append(Tensor(name, dtype, tuple(shape), start, stop))
    return tuple(tensors)


def _fields(tensor: Tensor) -> list[tuple[str, object]]:
    return [
        ("dtype", tensor.dtype),
        ("shape", tensor.shape),
        ("data_offsets", (tensor.start, tensor.stop)),
    ]
