"""What a model takes: its weights in several dtypes, and the cache of keys and values. Pure."""

from collections.abc import Iterator
from types import MappingProxyType
from typing import Final

import msgspec

from inspector.analysis.params.architecture import (
    OVERLAPPING_RATIO,
    CompressedAttention,
    GroupedAttention,
    LatentAttention,
    TextModel,
)
from inspector.analysis.params.terms import Counts

WEIGHT_BITS: Final = MappingProxyType({"F32": 32, "BF16": 16, "F8": 8, "INT4": 4})
"""Bits of a parameter in each dtype that memory is given for; scales come on top."""

CACHE_BITS: Final = MappingProxyType({"BF16": 16, "F8": 8})


class WeightMemory(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes of all weights, and of those one token activates, in one dtype."""

    dtype: str
    total_bytes: int
    activated_bytes: int


class CacheMemory(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes of one sequence's cache at a context length, and what one more token adds to it."""

    dtype: str
    context: int
    bytes: int
    bytes_per_token: int


def weight_memory(counts: Counts) -> list[WeightMemory]:
    """What the counted weights take in each dtype."""
    return [
        WeightMemory(
            dtype=dtype,
            total_bytes=counts.total * bits // 8,
            activated_bytes=counts.activated * bits // 8,
        )
        for dtype, bits in WEIGHT_BITS.items()
    ]


def cache_memory(model: TextModel, context: int) -> list[CacheMemory]:
    """What the cache of one sequence of `context` tokens takes.

    A layer with a window keeps no more than the window. Latent attention keeps one vector a token,
    and an indexer its key; DeepSeek-V4 one vector a token of the window and one a pooled group.
    """
    values = sum(cached_values(model, layer, context) for layer in range(model.layers))
    growth = sum(_growth(model, layer) for layer in range(model.layers))
    return [
        CacheMemory(
            dtype=dtype,
            context=context,
            bytes=values * bits // 8,
            bytes_per_token=growth * bits // 8,
        )
        for dtype, bits in CACHE_BITS.items()
    ]


def cached_values(model: TextModel, layer: int, context: int) -> int:
    """Numbers that one layer keeps of a sequence."""
    return sum(
        width * (context if window is None else min(context, window)) // ratio
        for width, window, ratio in _kept(model, layer)
    )


def _growth(model: TextModel, layer: int) -> int:
    """Numbers that a layer keeps of a token for good: layers with a window none."""
    return sum(width // ratio for width, window, ratio in _kept(model, layer) if window is None)


def _kept(model: TextModel, layer: int) -> Iterator[tuple[int, int | None, int]]:
    """(numbers, window, tokens that share them) of each cache of a layer."""
    attention, window = model.attention, model.windows[layer]
    match attention:
        case GroupedAttention():
            yield 2 * attention.kv_heads * attention.head_dim, window, 1
        case LatentAttention():
            yield attention.kv_rank + attention.rope_dim, window, 1
            if attention.indexer:
                yield attention.indexer.head_dim, window, 1
        case CompressedAttention():
            ratio = attention.ratios[layer] if layer < len(attention.ratios) else 0
            yield attention.head_dim, window, 1
            if ratio:
                yield attention.head_dim, None, ratio
            if ratio == OVERLAPPING_RATIO:
                yield attention.indexer.head_dim, None, ratio
