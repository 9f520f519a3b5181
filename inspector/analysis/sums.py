"""Running figures of values that come piece by piece: count, range, mean, spread."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from inspector.decode.numeric import Float32

_STRIP: Final = 1 << 15
"""Values taken in at a time: as float64 they stay in a cache."""


@dataclass(slots=True)
class Sums:
    """Running figures; `mean` and `squares` are merged as Chan, Golub and LeVeque (1979) do."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0
    low: float = math.inf
    high: float = -math.inf
    zeros: int = 0
    missing: int = 0

    def add(self, values: Float32) -> None:
        """Take in values, in strips that a cache holds."""
        flat = values.reshape(-1)
        with np.errstate(invalid="ignore"):  # infinities have no mean, and no spread around it
            for start in range(0, len(flat), _STRIP):
                self._add_strip(flat[start : start + _STRIP])

    def _add_strip(self, strip: Float32) -> None:
        exact = strip.astype(np.float64)
        total = float(exact.sum())
        if math.isnan(total):
            missing = np.isnan(exact)
            self.missing += int(missing.sum())
            exact = exact[~missing]
            total = float(exact.sum())
        if not len(exact):
            return
        self.low = min(self.low, float(exact.min()))
        self.high = max(self.high, float(exact.max()))
        self.zeros += len(exact) - int(np.count_nonzero(exact))
        mean = total / len(exact)
        exact -= mean
        squares = float(np.square(exact, out=exact).sum())
        count = self.count + len(exact)
        shift = mean - self.mean
        self.squares += squares + shift * shift * self.count * len(exact) / count
        self.mean += shift * len(exact) / count
        self.count = count

    @property
    def std(self) -> float:
        """The spread of the population; of no values, 0."""
        return math.sqrt(self.squares / self.count) if self.count else 0.0
