"""What is true of the experts of the rehearsal's models: where each comes from, and how far."""

from enum import StrEnum
from typing import Final

from tests import qwen3

REFERENCE: Final = "Qwen/Qwen3-235B-A22B"
LAYERS: Final = 94
EXPERTS: Final = 512

_FAR_SIGMA: Final = 20.0
"""Drift that leaves a cosine of .05: z is near 5 with 8 rows, too little, and 10 with 32."""

_STRANGERS_EVERY: Final = 12
_FIRST_STRANGERS: Final = 5


class Origin(StrEnum):
    """Where an expert of the model comes from."""

    NEAR = "near"
    """From reference `e mod 128`, drifted by .4 to 1 times its parent."""
    FAR = "far"
    """From the same, drifted so far that 8 rows leave it open."""
    STRANGER = "stranger"
    """From none."""


def origin(layer: int, expert: int) -> Origin:
    """The truth: one expert in 64 is far; in one layer of 12 one in 16 is a stranger."""
    if expert % 64 == 7:
        return Origin.FAR
    return Origin.STRANGER if has_strangers(layer) and expert % 16 == 3 else Origin.NEAR


def has_strangers(layer: int) -> bool:
    """Whether a layer has any."""
    return layer % _STRANGERS_EVERY == _FIRST_STRANGERS


def parent(expert: int) -> int:
    """The reference that an expert comes from, if it comes from any."""
    return expert % qwen3.EXPERTS


def sigma(layer: int, expert: int) -> float:
    """How far an expert drifted, in units of its parent's spread."""
    near = 0.4 + 0.6 * (expert // 8 % 16) / 15
    return _FAR_SIGMA if origin(layer, expert) is Origin.FAR else near
