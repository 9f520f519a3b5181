"""Any pair of layouts: what is said of experts does not depend on how they are stored."""

from dataclasses import replace
from functools import cache

import numpy as np
import numpy.typing as npt
import pytest

from inspector.analysis.expert_match import LOOK_ROWS, MatchResult, match_experts
from inspector.analysis.expert_options import (
    Option,
    choose_reading,
    fullest_within,
    reading_options,
)
from inspector.analysis.expert_plan import plan_match
from inspector.analysis.expert_question import MatchRequest, Question
from inspector.analysis.expert_reading import WHOLE, BothWays, SampledSide
from inspector.analysis.expert_report import Flag, Verdict
from inspector.analysis.report import Reads
from inspector.errors import BudgetExceeded
from inspector.layout.families import Projection
from inspector.source.base import MemorySource
from tests.analysis.stored import LAYOUTS, Layer, ways_of, with_gates

Float32 = npt.NDArray[np.float32]

HIDDEN = 128
STRANGER = 3
REQUEST = MatchRequest(layers=None, experts=None, seed=0, max_bytes=None, router_groups=None)


@cache
def family(neurons: int, sigma: float) -> tuple[dict[int, Layer], dict[int, Layer]]:
    """Experts of two layers that descend from reference e mod 4, save for the stranger."""
    rng = np.random.default_rng(neurons)
    theirs = {n: with_gates(draw(rng, 4, neurons), rng) for n in range(2)}
    ours: dict[int, Layer] = {}
    for number, layer in theirs.items():
        parents = {one: values[[0, 1, 2, 3, 0, 1]] for one, values in layer.items()}
        noise = with_gates(draw(rng, 6, neurons), rng)
        children = {one: values + np.float32(sigma) * noise[one] for one, values in parents.items()}
        for one, values in children.items():
            values[STRANGER] = noise[one][0]
        ours[number] = children
    return ours, theirs


def draw(rng: np.random.Generator, count: int, neurons: int) -> Float32:
    return rng.standard_normal((count, HIDDEN, neurons)).astype(np.float32)


@cache
def verdicts(target: str, reference: str) -> list[tuple[int, int, Verdict, list[int]]]:
    """By layer and expert: the verdict and the parents."""
    ours, theirs = family(128, 0.7)
    sides = ways_of(ours, target)[0], ways_of(theirs, reference)[0]
    return told(matched(chosen(*sides), REQUEST))


def chosen(target: BothWays, reference: BothWays) -> Option:
    return choose_reading(target, reference, REQUEST).taken


def matched(option: Option, request: MatchRequest) -> MatchResult:
    return match_experts(option.target, option.reference, request, lambda what, done, total: None)


def told(found: MatchResult) -> list[tuple[int, int, Verdict, list[int]]]:
    return [
        (one.layer, one.expert, one.verdict, [parent.expert for parent in one.parents])
        for one in found.experts
    ]


PAIRS = [
    *((layout, "bf16") for layout in LAYOUTS),
    ("fp8", "transposed"),
    ("transposed", "transposed"),
    ("mxfp4", "fp8 transposed"),
    ("nvfp4", "deepseek-v4"),
]


@pytest.mark.parametrize(("target", "reference"), PAIRS)
def test_every_pair_of_layouts_gives_the_answer_of_plain_tensors(
    target: str, reference: str
) -> None:
    expected = verdicts("bf16", "bf16")
    assert [parents for *_, parents in expected] == [[0], [1], [2], [], [0], [1]] * 2
    assert verdicts(target, reference) == expected


WIDE = 512
WAYS = [("fp8", "transposed"), ("transposed", "fp8 transposed")]


@pytest.mark.parametrize(("target", "reference"), WAYS)
def test_every_way_to_read_finds_the_same_parents(target: str, reference: str) -> None:
    ours, theirs = family(WIDE, 0.7)
    sides = ways_of(ours, target)[0], ways_of(theirs, reference)[0]
    options = reading_options(*sides, REQUEST)
    assert [(str(one.reading.matrix), one.reading.neurons) for one in options] == [
        ("down_proj", None),
        ("gate_proj", None),
        ("down_proj", options[2].reading.neurons),
        ("gate_proj", options[2].reading.neurons),
    ]
    for option in options:
        found = matched(option, replace(REQUEST, reading=option.reading))
        assert [parents for *_, parents in told(found)] == [[0], [1], [2], [], [0], [1]] * 2
        assert {one.verdict for one in found.experts if one.parents} == {Verdict.DESCENDANT}
        assert {len(option.reading.neurons or range(WIDE))} <= {128, WIDE}


def recorded(source: MemorySource) -> Reads:
    return Reads(requests=len(source.reads), bytes=sum(len(span) for _, span in source.reads))


@pytest.mark.parametrize(
    ("target", "reference", "way"),
    [("fp8", "bf16", 0), ("deepseek-v4", "transposed", 0), ("fp8", "transposed", 2)],
    ids=str,
)
def test_what_a_plan_says_without_a_bound_is_what_is_read(
    target: str, reference: str, way: int
) -> None:
    """All experts are decided by 8 rows, with a drift at which no scale is read."""
    ours, theirs = family(WIDE, 0.7)
    ours = {n: {one: values[:3] for one, values in layer.items()} for n, layer in ours.items()}
    (mine, source), (its, other) = ways_of(ours, target), ways_of(theirs, reference)
    option = reading_options(mine, its, REQUEST)[way]
    request = replace(REQUEST, reading=option.reading)
    plan = plan_match(option.target, option.reference, request, LOOK_ROWS)
    certain = [one for one in plan if not one.is_bound]
    assert {one.is_estimate for one in certain} == {way > 0}
    found = matched(option, request)
    assert {one.rows for one in found.experts} == {LOOK_ROWS[0]}
    read = recorded(source) + recorded(other)
    planned = Reads(
        requests=sum(one.requests for one in certain), bytes=sum(one.bytes for one in certain)
    )
    if way == 0:
        assert read == planned
    else:  # what is kept of a reference is not read again
        assert read.requests <= planned.requests
        assert read.bytes <= planned.bytes


def test_neurons_of_a_reference_are_read_once_however_many_rows_are_looked_at() -> None:
    ours, theirs = family(WIDE, 0.7)
    (mine, _), (its, source) = ways_of(ours, "fp8"), ways_of(theirs, "transposed")
    option = reading_options(mine, its, REQUEST)[2]
    assert isinstance(option.target, SampledSide)
    assert isinstance(option.reference, SampledSide)
    assert (option.target.along, option.reference.along) == (False, True)
    found = matched(option, replace(REQUEST, reading=option.reading))
    assert max(one.rows for one in found.experts) == HIDDEN
    neurons = [span for _, span in source.reads if len(span) == 128 * HIDDEN * 2]
    assert len(neurons) == len(set(neurons)) == 2 * 4


def test_the_fullest_way_that_fits_is_taken() -> None:
    ours, theirs = family(WIDE, 0.7)
    sides = ways_of(ours, "fp8")[0], ways_of(theirs, "transposed")[0]
    options = reading_options(*sides, REQUEST)
    least = min(options, key=lambda one: one.bytes)
    assert fullest_within(options, 10**9).reading == WHOLE
    assert fullest_within(options, options[0].bytes - 1) is least
    assert fullest_within(options, 0) is least
    assert least.reading.neurons is not None
    assert least.bytes < 0.5 * options[0].bytes


def test_more_than_is_allowed_is_refused_before_a_value_is_read() -> None:
    ours, theirs = family(WIDE, 0.7)
    (mine, source), (its, other) = ways_of(ours, "fp8"), ways_of(theirs, "transposed")
    request = replace(REQUEST, max_bytes=10_000, bytes_before=1_000_000)
    option = choose_reading(mine, its, request).taken
    with pytest.raises(BudgetExceeded, match="look of 128 neurons each would read") as caught:
        matched(option, replace(request, reading=option.reading))
    total = option.bytes + 1_000_000
    assert f"{option.bytes:,} bytes, more than the 10,000 allowed" in str(caught.value)
    assert f"--max-bytes {-(-total * 10 // 10**6) / 10}MB allows it" in (caught.value.hint or "")
    assert not source.reads
    assert not other.reads


def test_experts_of_other_sizes_are_read_whole() -> None:
    """A slice may be of any neurons: a block of them answers nothing."""
    rng = np.random.default_rng(0)
    theirs = {0: with_gates(draw(rng, 4, WIDE), rng)}
    ours = {0: with_gates(theirs[0][Projection.DOWN][:, :, 100:228].copy(), rng)}
    sides = ways_of(ours, "fp8")[0], ways_of(theirs, "transposed")[0]
    options = reading_options(*sides, REQUEST)
    assert all(one.reading.neurons is None for one in options)
    assert Question(options[0].target, options[0].reference, REQUEST).has_slices
    found = matched(options[0], REQUEST)
    assert [one.flags[0] for one in found.experts] == [Flag.SLICED] * 4
    assert [one.parents[0].expert for one in found.experts] == [0, 1, 2, 3]
