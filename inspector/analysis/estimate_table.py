"""Estimates of many experts as rows of one array, each made into an object when it is asked for."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np

from inspector.analysis.expert_estimates import Estimates
from inspector.stats.intervals import Interval
from inspector.stats.retention import Retention

_ROW: Final = np.dtype(
    [
        ("reference", np.int64),
        ("retained", np.float64, 3),
        ("sigma", np.float64, 3),
        ("neurons", np.int64),
        ("has_scale", np.bool_),
        ("scale", np.float64, 3),
        ("has_codes", np.bool_),
        ("equal_codes", np.float64),
        ("is_flipped", np.bool_),
    ]
)
"""The fields of `Estimates` in its order; an interval is its estimate, low and high."""

_NO_INTERVAL: Final = (np.nan, np.nan, np.nan)


class EstimateTable(Mapping[int, Estimates]):
    """Estimates by expert. A match keeps them of every expert: 107 bytes each, as objects 600."""

    __slots__ = ("_experts", "_rows")

    def __init__(self, estimates: Mapping[int, Estimates]) -> None:
        ordered = sorted(estimates.items())
        self._experts = np.array([expert for expert, _ in ordered], dtype=np.int64)
        self._rows = np.array([_row(one) for _, one in ordered], dtype=_ROW)

    def __len__(self) -> int:
        return len(self._experts)

    def __iter__(self) -> Iterator[int]:
        return iter(self._experts.tolist())

    def __getitem__(self, expert: int) -> Estimates:
        place = int(np.searchsorted(self._experts, expert))
        if place == len(self) or self._experts[place] != expert:
            raise KeyError(expert)
        return _estimates(self._rows[place])


def _row(one: Estimates) -> tuple[object, ...]:
    fit, scale, codes = one.retention, one.scale, one.equal_codes
    return (
        one.reference,
        _numbers(fit.retained),
        _numbers(fit.sigma),
        fit.neurons,
        scale is not None,
        _NO_INTERVAL if scale is None else _numbers(scale),
        codes is not None,
        np.nan if codes is None else codes,
        one.is_flipped,
    )


def _numbers(interval: Interval) -> tuple[float, float, float]:
    return interval.estimate, interval.low, interval.high


def _estimates(row: Any) -> Estimates:
    retained, sigma, scale = (
        Interval(*row[name].tolist()) for name in ("retained", "sigma", "scale")
    )
    return Estimates(
        reference=int(row["reference"]),
        retention=Retention(retained, sigma, int(row["neurons"])),
        scale=scale if row["has_scale"] else None,
        equal_codes=float(row["equal_codes"]) if row["has_codes"] else None,
        is_flipped=bool(row["is_flipped"]),
    )
