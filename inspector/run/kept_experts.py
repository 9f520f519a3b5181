"""Experts whose rows are read once: what was read is kept in the folder of a run."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
import numpy as np

from inspector.analysis.expert_sides import ExpertSide, Scales
from inspector.decode.numeric import Float32, stored_array, to_float32
from inspector.errors import FormatError
from inspector.format.dtypes import Dtype
from inspector.format.header import LENGTH_PREFIX, header_span, parse_header
from inspector.layout.families import Projection
from inspector.render.export import export_header, export_values
from inspector.run.folder import RunFolder

_TENSOR: Final = "rows"
_APPLIED: Final = "applied"
_LOW_HALF: Final = np.uint32(0xFFFF)


class KeptExperts:
    """One side of a match. A read that was done before is answered from the folder.

    Costs are those of reading, kept or not: a run that goes on decides as one that was never
    stopped.
    """

    def __init__(self, inner: ExpertSide, folder: RunFolder, *, called: str) -> None:
        self._inner = inner
        self._folder = folder
        self._called = called

    @property
    def layers(self) -> tuple[int, ...]:
        return self._inner.layers

    @property
    def total_bytes(self) -> int:
        return self._inner.total_bytes

    def experts(self, layer: int) -> tuple[int, ...]:
        return self._inner.experts(layer)

    def shape(self, layer: int, projection: Projection) -> tuple[int, int]:
        return self._inner.shape(layer, projection)

    def dtype(self, layer: int, projection: Projection) -> Dtype:
        return self._inner.dtype(layer, projection)

    def read_cost(
        self, layer: int, experts: Sequence[int], projection: Projection, rows: Sequence[int]
    ) -> int:
        return self._inner.read_cost(layer, experts, projection, rows)

    def read_requests(
        self, layer: int, experts: Sequence[int], projection: Projection, rows: Sequence[int]
    ) -> int:
        return self._inner.read_requests(layer, experts, projection, rows)

    def scale_cost(
        self, layer: int, experts: Sequence[int], projection: Projection, rows: Sequence[int]
    ) -> int:
        return self._inner.scale_cost(layer, experts, projection, rows)

    def read(
        self, layer: int, experts: Sequence[int], projection: Projection, rows: Sequence[int]
    ) -> Float32:
        name = self._name("rows", layer, projection, experts, rows)
        facts = {"layer": layer, "experts": list(experts), "rows": list(rows)}
        kept = self._load(name)
        if kept is None:
            kept = Scales(self._inner.read(layer, experts, projection, rows), applied=False)
            self._folder.save(name, pack_values(kept, facts))
        return kept.values

    def scales(
        self, layer: int, experts: Sequence[int], projection: Projection, rows: Sequence[int]
    ) -> Scales | None:
        name = self._name("scales", layer, projection, experts, rows)
        facts = {"layer": layer, "experts": list(experts), "rows": list(rows)}
        kept = self._load(name)
        if kept is None:
            kept = self._inner.scales(layer, experts, projection, rows)
            if kept is not None:
                self._folder.save(name, pack_values(kept, facts))
        return kept

    def _name(
        self,
        kind: str,
        layer: int,
        projection: Projection,
        experts: Sequence[int],
        rows: Sequence[int],
    ) -> str:
        asked = msgspec.json.encode([list(experts), list(rows)])
        digest = hashlib.blake2b(asked, digest_size=8).hexdigest()
        return f"{kind}/{self._called}-{layer}-{projection}-{digest}.safetensors"

    def _load(self, name: str) -> Scales | None:
        content = self._folder.load(name)
        return None if content is None else unpack_values(content)


def pack_values(found: Scales, facts: Mapping[str, object]) -> bytes:
    """A safetensors file: in bfloat16 where that loses nothing, as of FP8 codes, else float32."""
    values = np.ascontiguousarray(found.values)
    dtype = "float32" if np.any(values.view(np.uint32) & _LOW_HALF) else "bfloat16"
    all_facts = {**facts, _APPLIED: found.applied}
    metadata = {name: msgspec.json.encode(value).decode() for name, value in all_facts.items()}
    return export_header([(_TENSOR, values.shape)], dtype, metadata) + export_values(values, dtype)


def unpack_values(content: bytes) -> Scales | None:
    """The values of a file; None where it is damaged, and must be made again."""
    try:
        span = header_span(content[: LENGTH_PREFIX.stop], shard=_TENSOR, file_size=len(content))
        text = content[span.start : span.stop]
        header = parse_header(text, shard=_TENSOR, file_size=len(content))
        (entry,) = header.entries
    except (FormatError, ValueError):
        return None
    codes = stored_array(content[entry.start : entry.stop], entry.dtype, entry.shape)
    is_applied = (header.metadata or {}).get(_APPLIED) == "true"
    return Scales(to_float32(codes, entry.dtype), applied=is_applied)
