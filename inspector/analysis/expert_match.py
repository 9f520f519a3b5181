"""Do a model's experts descend from another's? Looks at more and more rows of those still open.

Null of every test: the neurons of the reference are exchangeable (`stats/matching.py`). Family-wise
error over all experts x references x layers is at most `sum(LOOK_ALPHA)`; parts of the .01 that are
not spent here belong to statistics that are not computed here (`docs/explanation/similarity.md`).
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from inspector.analysis.expert_looks import (
    ExpertSide,
    LayerLook,
    Sampler,
    choose_rows,
    look_at_layer,
)
from inspector.analysis.expert_report import ExpertMatch, Flag, LayerMatch, Parent, Verdict
from inspector.analysis.layout_map import find_layout
from inspector.errors import BudgetExceeded, LayoutError
from inspector.layout.families import Projection
from inspector.stats.calibration import Calibrated, Calibration, calibrate
from inspector.stats.contrast import leave_one_out_contrast
from inspector.stats.correction import holm_accepts, log10_upper_tail, z_of_upper_tail
from inspector.stats.matching import PairContrast

Float64 = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

ALPHA: Final = 0.01
LOOK_ROWS: Final = (8, 32, 128)
LOOK_ALPHA: Final = (0.004, 0.0015, 0.0005)
"""Error rate of each signed look. A run that starts at 32 rows has two looks, and spends less."""

EXCLUDED_COSINE: Final = 0.2
EXCLUDED_FRACTION: Final = 0.1
"""What `no_evidence` must rule out at power .95: this aligned cosine, and this retained fraction."""

_REGION_SIGMA: Final = 0.3
_POWER_Z: Final = 1.645
_SIGNAL_KEPT: Final = 0.9
"""Share of the ideal z that preparation leaves (similarity study: fits simulated cells to 10 %)."""

_PILOT_TARGETS: Final = 64
_PILOT_AGREEMENT: Final = 0.99
_CLEAR_CONTRAST: Final = 3.5
_SAME_NEEDED: Final = 3.09
"""z at which what a second reference adds counts as significant: p < .001, one-sided."""

_BUDGET_SHARE: Final = 0.003
_BUDGET_FLOOR: Final = 256_000_000

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class MatchRequest:
    """What to match: None for layers or experts means all; `max_bytes` None is the default."""

    layers: frozenset[int] | None
    experts: frozenset[int] | None
    seed: int
    max_bytes: int | None
    router_groups: int | None


@dataclass(frozen=True, slots=True)
class MatchResult:
    """Everything that matching found; `excluded` says what no evidence rules out."""

    experts: list[ExpertMatch]
    layers: list[LayerMatch]
    calibration: Calibration
    hypotheses: int
    references: int


@dataclass(slots=True)
class _State:
    """One expert on its way to a verdict."""

    rows: int
    best_log10_p: float
    looks: int
    copy: float
    has_contrast: bool
    dead: bool
    out_of_budget: bool = False
    accepted: list[Parent] = field(default_factory=list)
    pairs: list[PairContrast] = field(default_factory=list)


Key = tuple[int, int]


def match_experts(
    target: ExpertSide, reference: ExpertSide, request: MatchRequest, progress: Progress
) -> MatchResult:
    """Match every expert of `target` against the references of its layer.

    Raises:
        LayoutError: no layer in common, or experts of different sizes.
        BudgetExceeded: the first look alone would read more than `max_bytes`.
    """
    run = _Run(target, reference, request, progress)
    return run.match()


class _Run:
    def __init__(
        self, target: ExpertSide, reference: ExpertSide, request: MatchRequest, progress: Progress
    ) -> None:
        self.request = request
        self.progress = progress
        self.layers = _common_layers(target, reference, request.layers)
        _check_sizes(target, reference, self.layers)
        self.rng = np.random.default_rng(request.seed)
        self.experts = {layer: _chosen(target.experts(layer), request.experts) for layer in self.layers}
        self.references = {layer: len(reference.experts(layer)) for layer in self.layers}
        self.hypotheses = sum(len(self.experts[n]) * self.references[n] for n in self.layers)
        total = target.total_bytes + reference.total_bytes
        default = max(_BUDGET_FLOOR, int(_BUDGET_SHARE * total))
        self.budget = default if request.max_bytes is None else request.max_bytes
        self.spent = 0
        pilot = _pilot_layers(self.layers)
        rows = choose_rows(reference, pilot, self.rng)
        self.sampler = Sampler(target, reference, self.layers, rows)
        self.pilot = pilot
        self.states: dict[Key, _State] = {}

    def match(self) -> MatchResult:
        self._check_first_look()
        looks = self._looks()
        calibration: Calibration | None = None
        for number, (count, alpha) in enumerate(zip(looks, LOOK_ALPHA, strict=False), 1):
            wanted = self._open_experts()
            if number > 1:
                wanted = self._within_budget(wanted, count)
            if not any(len(experts) for experts in wanted.values()):
                break
            found = self._look(count, wanted, f"{count} rows")
            here = calibrate(found.null, self.rng)
            calibration = calibration or here
            self._decide(found.layers, count, alpha, max(calibration.inflation, _sure(here)))
            if calibration.status is Calibrated.UNCALIBRATED:
                break
        if calibration is None:
            raise LayoutError("no expert is left to match", hint="widen --layers or --experts")
        dead = self._fully_dead()
        experts = [self._verdict(key, state, calibration, dead) for key, state in self.states.items()]
        experts.sort(key=lambda match: (match.layer, match.expert))
        return MatchResult(
            experts=experts,
            layers=self._summaries(experts),
            calibration=calibration,
            hypotheses=self.hypotheses,
            references=max(self.references.values()),
        )

    def _check_first_look(self) -> None:
        cost = sum(self._cost(layer, self.experts[layer], LOOK_ROWS[0]) for layer in self.layers)
        if cost > self.budget:
            raise BudgetExceeded(
                f"the first look would read {cost:,} bytes, more than the {self.budget:,} allowed",
                hint="raise --max-bytes, or choose --layers",
            )

    def _cost(self, layer: int, experts: Ints, count: int) -> int:
        rows = self.sampler.rows[:count]
        chosen = experts.tolist()
        references = self.sampler.reference.experts(layer)
        return self.sampler.target.read_cost(
            layer, chosen, Projection.DOWN, rows
        ) + self.sampler.reference.read_cost(layer, references, Projection.DOWN, rows)

    def _looks(self) -> list[int]:
        """The looks of this run: the pilot says whether 8 rows decide as well as 32."""
        available = len(self.sampler.rows)
        looks = sorted({min(rows, available) for rows in LOOK_ROWS})
        if len(looks) < 2 or self._pilot_agrees(*looks[:2]):
            return looks
        return looks[1:]

    def _pilot_agrees(self, few: int, many: int) -> bool:
        """Whether `few` rows accept what `many` do, on some experts of four layers."""
        accepted = {few: set[Key](), many: set[Key]()}
        threshold = z_of_upper_tail(LOOK_ALPHA[0] / self.hypotheses)
        for layer in self.pilot:
            experts = self.experts[layer]
            experts = experts[:: max(1, len(experts) // _PILOT_TARGETS)]
            raw = self.sampler.targets(layer, experts, many)
            for count in (few, many):
                look, _ = look_at_layer(self.sampler, layer, experts, raw[:, :count])
                rows, columns = np.nonzero(look.z > threshold)
                best = {row: column for row, column in zip(rows, columns, strict=True)
                        if look.z[row].argmax() == column}  # fmt: skip
                accepted[count] |= {(layer * 1_000_000 + row, column) for row, column in best.items()}
        return len(accepted[few] & accepted[many]) >= _PILOT_AGREEMENT * len(accepted[many])

    def _open_experts(self) -> dict[int, Ints]:
        closed = {key for key, state in self.states.items() if state.accepted or state.dead}
        return {
            layer: np.array([e for e in experts.tolist() if (layer, e) not in closed], dtype=np.int64)
            for layer, experts in self.experts.items()
        }

    def _within_budget(self, wanted: dict[int, Ints], count: int) -> dict[int, Ints]:
        """The layers that may be read again; experts of the others are flagged."""
        allowed = {}
        for layer, experts in wanted.items():
            cost = self._cost(layer, experts, count) if len(experts) else 0
            if self.spent + cost <= self.budget:
                allowed[layer] = experts
                self.spent += cost
            else:
                for expert in experts.tolist():
                    self.states[layer, expert].out_of_budget = True
        return allowed

    def _look(self, count: int, wanted: Mapping[int, Ints], what: str) -> "_Look":
        found = _Look([], [])
        for done, (layer, experts) in enumerate(wanted.items(), 1):
            if len(experts):
                raw = self.sampler.targets(layer, experts, count)
                look, null = look_at_layer(self.sampler, layer, experts, raw)
                found.layers.append(look)
                found.null += null
            self.progress(what, done, len(wanted))
        return found

    def _decide(
        self, looks: Sequence[LayerLook], count: int, alpha: float, inflation: float
    ) -> None:
        """Accept by Holm over the whole family; what was not read again enters with p = 1."""
        scored = [(look, *_star(look, inflation)) for look in looks]
        log10_p = [log10_upper_tail(star) for _, _, star, _ in scored]
        flat = np.concatenate([values.ravel() for values in log10_p])
        small = np.flatnonzero(flat < -1)
        accepted = np.zeros(len(flat), dtype=np.bool_)
        accepted[small] = holm_accepts(flat[small], hypotheses=self.hypotheses, alpha=alpha)
        start = 0
        for (look, z, star, has_contrast), logs in zip(scored, log10_p, strict=True):
            passed = accepted[start : start + logs.size].reshape(logs.shape)
            start += logs.size
            for position, expert in enumerate(look.experts.tolist()):
                best = float(logs[position].min())
                before = self.states.get((look.layer, expert))
                state = _State(
                    rows=count,
                    best_log10_p=min(best, before.best_log10_p) if before else best,
                    looks=before.looks + 1 if before else 1,
                    copy=float(look.copy[position]) / inflation,
                    has_contrast=bool(has_contrast[position]),
                    dead=bool(look.dead[position]),
                    pairs=look.pairs.get(position, []),
                )
                order = np.argsort(-star[position], kind="stable")
                state.accepted = [
                    Parent(
                        expert=int(look.references[r]),
                        layer=look.layer,
                        z=round(float(z[position, r]), 3),
                        z_star=round(float(star[position, r]), 3),
                        log10_p=round(float(logs[position, r]), 3),
                    )
                    for r in order[passed[position][order]].tolist()
                ]
                self.states[look.layer, expert] = state

    def _fully_dead(self) -> set[Key]:
        """Of experts whose down_proj rows are all zero or NaN, those with dead gate and up too."""
        dead = {key for key, state in self.states.items() if state.dead}
        rows = self.sampler.rows[: LOOK_ROWS[0]]
        for projection in (Projection.GATE, Projection.UP):
            height = self.sampler.target.shape(self.layers[0], projection)[0]
            inside = [row % height for row in rows]
            for layer, expert in sorted(dead):
                raw = self.sampler.target.read(layer, [expert], projection, sorted(set(inside)))
                if np.any(np.nan_to_num(raw, nan=0.0)):
                    dead.discard((layer, expert))
        return dead

    def _verdict(
        self, key: Key, state: _State, calibration: Calibration, dead: set[Key]
    ) -> ExpertMatch:
        layer, expert = key
        flags = [] if state.has_contrast else [Flag.FEW_REFERENCES]
        if state.out_of_budget:
            flags.append(Flag.BUDGET)
        verdict, parents = self._judge(key, state, calibration, dead)
        return ExpertMatch(
            layer=layer, expert=expert, verdict=verdict, parents=parents, flags=flags, rows=state.rows
        )

    def _judge(
        self, key: Key, state: _State, calibration: Calibration, dead: set[Key]
    ) -> tuple[Verdict, list[Parent]]:
        if key in dead:
            return Verdict.DEGENERATE, []
        if calibration.status is Calibrated.UNCALIBRATED:
            return Verdict.UNCALIBRATED, []
        if state.accepted:
            references = self.sampler.reference.experts(key[0])
            return parents_of(state.accepted, state.pairs, references, state.rows)
        if state.dead or state.out_of_budget:
            return Verdict.INCONCLUSIVE, []
        log10_family = state.best_log10_p + np.log10(self.references[key[0]] * state.looks)
        if log10_family > np.log10(0.05) and self._has_power(state):
            return Verdict.NO_EVIDENCE, []
        return Verdict.INCONCLUSIVE, []

    def _has_power(self, state: _State) -> bool:
        cosine, fraction = excluded_region(
            state.copy, hypotheses=self.hypotheses, alpha=LOOK_ALPHA[state.looks - 1]
        )
        return cosine <= EXCLUDED_COSINE and fraction <= EXCLUDED_FRACTION

    def _summaries(self, experts: Sequence[ExpertMatch]) -> list[LayerMatch]:
        summaries = []
        for layer in self.layers:
            here = [match for match in experts if match.layer == layer]
            parents = {match.expert: match.parents[0].expert for match in here if len(match.parents) == 1}
            everyone = self.sampler.target.experts(layer)
            references = self.sampler.reference.experts(layer)
            regular = everyone == tuple(range(len(everyone))) and references == tuple(
                range(len(references))
            )
            layout = (
                find_layout(parents, len(everyone), len(references), self.request.router_groups)
                if regular
                else None
            )
            counts = Counter(str(match.verdict) for match in here)
            summaries.append(LayerMatch(layer=layer, layout=layout, verdicts=dict(counts.most_common())))
        return summaries


@dataclass(slots=True)
class _Look:
    """A look: its layers, and blocks of null z, one a pair of different layers."""

    layers: list[LayerLook]
    null: list[Float64]


def parents_of(
    accepted: Sequence[Parent], pairs: Sequence[PairContrast], references: Sequence[int], rows: int
) -> tuple[Verdict, list[Parent]]:
    """Which accepted references are the parents, best first.

    A second one stays where each keeps a significant coefficient beside the other and BIC prefers
    two (its z beyond sqrt(log n)); where the two cannot be told apart, both are shown as ambiguous.
    """
    best, *others = accepted
    contrasts = {}
    for pair in pairs:
        contrasts[references[pair.first], references[pair.second]] = pair
    parents = [best]
    verdict = Verdict.DESCENDANT
    for other in others:
        pair = contrasts.get((best.expert, other.expert))
        if pair is None:
            continue
        needed = max(_SAME_NEEDED, np.sqrt(np.log(rows * len(references))))
        if min(pair.first_given_second, pair.second_given_first) > needed:
            parents.append(other)
        elif pair.contrast_z < _CLEAR_CONTRAST:
            parents.append(other)
            verdict = Verdict.AMBIGUOUS_PARENT
    return verdict, parents


def excluded_region(copy_z: float, *, hypotheses: int, alpha: float) -> tuple[float, float]:
    """The smallest aligned cosine and retained fraction that would be found with power .95.

    Args:
        copy_z: the z that an exact copy would reach.
        hypotheses: size of the family.
        alpha: of the look.
    """
    needed = z_of_upper_tail(alpha / hypotheses) + _POWER_Z
    cosine = needed / max(_SIGNAL_KEPT * copy_z, 1e-9)
    return cosine, cosine * float(np.sqrt(1 + _REGION_SIGMA**2))


def _star(look: LayerLook, inflation: float) -> tuple[Float64, Float64, npt.NDArray[np.bool_]]:
    """z, z* and whether a contrast was possible, `[experts, R]` and `[experts]`."""
    z = look.z / inflation
    pool = None if look.pool is None else look.pool / inflation
    contrast = leave_one_out_contrast(z, pool)
    star = np.where(np.isnan(contrast), z, np.minimum(z, contrast))
    return z, star, ~np.isnan(contrast).all(axis=1)


def _sure(calibration: Calibration) -> float:
    """The inflation of a later look, where it has tests enough to be believed."""
    return 1.0 if calibration.status is Calibrated.INSUFFICIENT else calibration.inflation


def _common_layers(
    target: ExpertSide, reference: ExpertSide, wanted: frozenset[int] | None
) -> tuple[int, ...]:
    common = sorted(set(target.layers) & set(reference.layers))
    chosen = [layer for layer in common if wanted is None or layer in wanted]
    if not chosen:
        raise LayoutError(
            f"no layer of experts in common: {_range(target.layers)} and {_range(reference.layers)}",
            hint="--layers must name layers that both models have",
        )
    return tuple(chosen)


def _range(numbers: Sequence[int]) -> str:
    return f"{min(numbers)}..{max(numbers)}" if numbers else "none"


def _check_sizes(target: ExpertSide, reference: ExpertSide, layers: Sequence[int]) -> None:
    for layer in layers:
        one = target.shape(layer, Projection.DOWN)
        other = reference.shape(layer, Projection.DOWN)
        if one != other:
            raise LayoutError(
                f"layer {layer}: down_proj is {list(one)} here and {list(other)} in the reference",
                hint="experts of different sizes cannot be matched yet",
            )


def _chosen(experts: tuple[int, ...], wanted: frozenset[int] | None) -> Ints:
    return np.array([e for e in experts if wanted is None or e in wanted], dtype=np.int64)


def _pilot_layers(layers: Sequence[int]) -> list[int]:
    """First, last and two between."""
    last = len(layers) - 1
    return [layers[i] for i in sorted({0, last // 3, 2 * last // 3, last})]
