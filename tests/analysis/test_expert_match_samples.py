"""The sample of real weights, whose history is known."""

import json
from functools import cache
from typing import Any

import numpy as np
import pytest

from inspector.analysis.expert_match import MatchResult, match_experts
from inspector.analysis.expert_question import MatchRequest
from inspector.analysis.expert_report import Verdict
from inspector.checkpoint import open_checkpoint
from inspector.checkpoint.experts import CheckpointExperts
from inspector.layout.families import Projection
from tests.strategies_arrays import SAMPLES

ROUNDED = 0.02
"""Smaller than the drift that rounding to FP8 would be read as, .0215: it is none."""

VERDICTS = {
    ("copy", None): {Verdict.EXACT_COPY},
    ("drift", 0.1): {Verdict.NEAR_COPY, Verdict.DESCENDANT},
    ("drift", 0.3): {Verdict.DESCENDANT},
    ("drift", 0.5): {Verdict.DESCENDANT},
    ("drift", 1.0): {Verdict.DESCENDANT},
    ("reinitialised", None): {Verdict.PARTIAL_DESCENDANT},
}
"""By relation and sigma. A drift of .1 is the limit of a near copy."""

TRUTH: list[dict[str, Any]] = json.loads((SAMPLES / "truth.json").read_text())["experts"]


@cache
def matched(
    model: str, reference: str, seed: int = 0, layers: frozenset[int] | None = None
) -> MatchResult:
    with (
        open_checkpoint(str(SAMPLES / model)) as one,
        open_checkpoint(str(SAMPLES / reference)) as other,
    ):
        request = MatchRequest(
            layers=layers, experts=None, seed=seed, max_bytes=None,
            router_groups=one.config.router_groups if one.config else None,
        )  # fmt: skip
        sides = CheckpointExperts(one), CheckpointExperts(other)
        return match_experts(*sides, request, lambda what, done, total: None)


@pytest.mark.parametrize(
    "truth", TRUTH, ids=lambda one: f"{one['layer']}-{one['expert']}-{one['relation']}"
)
def test_every_expert_has_the_parent_it_was_made_from(truth: dict[str, Any]) -> None:
    found = matched("s1-pro-mini", "qwen3-mini")
    (one,) = (
        one for one in found.experts if (one.layer, one.expert) == (truth["layer"], truth["expert"])
    )
    if truth["parent"] is None:
        assert (one.verdict, one.parents) == (Verdict.NO_EVIDENCE, [])
        return
    assert [parent.expert for parent in one.parents] == [truth["parent"]]
    assert one.verdict in VERDICTS[truth["relation"], truth["sigma"]]
    assert one.sigma
    assert one.retained
    if truth["sigma"]:
        assert one.sigma.estimate == pytest.approx(truth["sigma"], rel=0.15)
        assert one.sigma.low <= truth["sigma"] <= one.sigma.high
    else:
        assert one.sigma.low == 0
        assert one.sigma.high < ROUNDED
    left = 1 - (truth["reinitialised_fraction"] or 0)
    assert one.retained.low - 0.01 <= left <= one.retained.high + 0.01
    assert one.retained.estimate == pytest.approx(left, abs=0.04)
    assert one.scale is None or one.scale.estimate == pytest.approx(1, abs=0.03)


def test_no_verdict_is_missing_or_made_up() -> None:
    found = matched("s1-pro-mini", "qwen3-mini")
    assert TRUTH
    assert [(one.layer, one.expert) for one in found.experts] == [
        (one["layer"], one["expert"]) for one in TRUTH
    ]


@pytest.mark.parametrize("seed", range(1, 6))
def test_no_seed_names_a_wrong_parent(seed: int) -> None:
    for one, truth in zip(matched("s1-pro-mini", "qwen3-mini", seed).experts, TRUTH, strict=True):
        assert [parent.expert for parent in one.parents] == (
            [] if truth["parent"] is None else [truth["parent"]]
        )


def test_the_layout_of_the_sample_is_found() -> None:
    layouts = [layer.layout for layer in matched("s1-pro-mini", "qwen3-mini").layers]
    assert [layout.map for layout in layouts if layout] == ["e mod 8", "e mod 8"]


def test_fused_references_give_the_answer_of_separate_ones() -> None:
    layer = frozenset({0})
    alone = matched("s1-pro-mini", "qwen3-mini", layers=layer)
    together = matched("s1-pro-mini", "qwen3-vl-mini", layers=layer)
    assert alone.experts
    assert together == alone


def test_a_model_is_its_own_parent() -> None:
    for model in ("qwen3-mini", "s1-pro-mini-e8m0"):
        for one in matched(model, model).experts:
            assert [parent.expert for parent in one.parents] == [one.expert]


def test_experts_of_the_sample_resemble_those_of_the_same_origin() -> None:
    """Against itself: siblings find each other, and those from elsewhere find nobody."""
    origin = {(one["layer"], one["expert"]): one["parent"] for one in TRUTH}
    with open_checkpoint(str(SAMPLES / "s1-pro-mini")) as model:
        side = CheckpointExperts(model)
        request = MatchRequest(
            layers=frozenset({0}), experts=None, seed=0, max_bytes=None, router_groups=None,
            same_model=True,
        )  # fmt: skip
        found = match_experts(side, side, request, lambda what, done, total: None)
    assert found.hypotheses == 32 * 31
    for one in found.experts:
        mine = origin[one.layer, one.expert]
        assert bool(one.parents) == (mine is not None)
        assert {origin[one.layer, parent.expert] for parent in one.parents} <= {mine}


def test_fused_experts_give_the_rows_of_separate_ones() -> None:
    with (
        open_checkpoint(str(SAMPLES / "qwen3-mini")) as alone,
        open_checkpoint(str(SAMPLES / "qwen3-vl-mini")) as together,
    ):
        one, other = CheckpointExperts(alone), CheckpointExperts(together)
        for projection in Projection:
            assert one.shape(0, projection) == other.shape(0, projection)
            rows = [3, 4, 9]
            np.testing.assert_array_equal(
                one.read(0, range(8), projection, rows), other.read(0, range(8), projection, rows)
            )


@pytest.mark.parametrize("model", ["qwen3-mini", "qwen3-vl-mini", "s1-pro-mini"])
@pytest.mark.parametrize("rows", [[0, 1, 2], [120, 127], [120, 130]], ids=str)
def test_a_read_costs_what_was_said(model: str, rows: list[int]) -> None:
    with open_checkpoint(str(SAMPLES / model)) as checkpoint:
        experts = CheckpointExperts(checkpoint)
        said = experts.read_cost(0, [1, 3], Projection.DOWN, rows)
        before = checkpoint.cost.bytes
        experts.read(0, [1, 3], Projection.DOWN, rows)
        assert checkpoint.cost.bytes - before == said


def test_rows_over_a_block_edge_are_scaled() -> None:
    """Inside one block a column has one scale and codes serve; across two they do not."""
    with open_checkpoint(str(SAMPLES / "s1-pro-mini")) as checkpoint:
        experts = CheckpointExperts(checkpoint)
        inside = experts.read(0, [2], Projection.DOWN, [126, 127])[0]
        across = experts.read(0, [2], Projection.DOWN, [126, 127, 128])[0][:2]
        ratio = across[inside != 0] / inside[inside != 0]
        assert len(np.unique(np.round(ratio, 9))) == 2  # the two blocks of 256 columns
