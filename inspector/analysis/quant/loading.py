"""What each loader takes as quantized in this checkpoint, and where they differ. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from inspector.analysis.quant.loaders import LOADERS, Loader, Refusal, Verdict, decide
from inspector.analysis.quant.loaders.rule import FUSED
from inspector.analysis.quant.modules import Mask, Modules
from inspector.analysis.quant.rules import finding
from inspector.config.quantization import QuantConfig
from inspector.errors import Problem
from inspector.layout.modules import ModuleKind

VERDICTS = tuple(Verdict)


@dataclass(frozen=True, slots=True)
class LoaderView:
    """One loader: why it refuses the config, or its verdict on each module.

    `unit_verdicts` index `VERDICTS`, one for each of `Modules.units`.
    """

    loader: Loader
    refusal: str | None
    unit_verdicts: npt.NDArray[np.int8]


def views_of(modules: Modules, claim: QuantConfig) -> list[LoaderView]:
    """What each loader makes of the modules."""
    units, _ = modules.units
    found = []
    for loader, rule_for in LOADERS.items():
        rule = rule_for(claim)
        verdicts = [VERDICTS.index(verdict) for verdict in decide(rule, units)]
        refusal = rule.reason if isinstance(rule, Refusal) else None
        found.append(LoaderView(loader, refusal, np.array(verdicts, dtype=np.int8)))
    return found


def check_loaders(modules: Modules, views: list[LoaderView], blamed: Mask) -> Iterator[Problem]:
    """Modules on which loaders differ, or which all take for unquantized though codes are stored.

    Loaders that refuse the config have no say, and modules in `blamed` are left out. Each family of
    modules and each way to differ is one finding.
    """
    takers = [view for view in views if view.refusal is None]
    if not takers:
        return
    table = np.stack([view.unit_verdicts for view in takers], axis=1)
    units, unit_ids = modules.units
    is_coded = np.zeros(len(units), dtype=np.bool_)
    is_coded[unit_ids[modules.quantized]] = True
    lost = is_coded & (table == VERDICTS.index(Verdict.UNQUANTIZED)).all(axis=1)
    differ = (table != table[:, :1]).any(axis=1) | lost
    differ &= ~_explained(units, np.unique(unit_ids[blamed]))
    for verdicts in np.unique(table[differ], axis=0):
        which = np.flatnonzero(differ & (table == verdicts).all(axis=1))
        told = ", ".join(
            f"{view.loader}: {VERDICTS[verdict]}"
            for view, verdict in zip(takers, verdicts.tolist(), strict=True)
        )
        members = np.flatnonzero(np.isin(unit_ids, which))
        for pattern, some in modules.families(members):
            stored = "quantized" if modules.quantized[some].all() else "unquantized"
            yield finding(
                "loader_disagreement", pattern, "loaders do not all take it as it is stored",
                expected=f"one verdict, as stored: {stored}", found=told,
            )  # fmt: skip


def _explained(units: Sequence[tuple[str, ModuleKind]], blamed: npt.NDArray[np.int64]) -> Mask:
    """Units that another finding is about, and those that loaders fuse with them."""
    names = {units[at][0] for at in blamed.tolist()}
    fused_with = {part: parts for parts in FUSED.values() for part in parts}
    for name in list(names):
        parent, dot, last = name.rpartition(".")
        names.update(f"{parent}{dot}{part}" for part in fused_with.get(last, ()))
    return np.array([name in names for name, _ in units], dtype=np.bool_)
