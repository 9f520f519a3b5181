"""What is said and drawn of a match, of documents that say each thing."""

from collections.abc import Sequence

import msgspec
import pytest

from inspector.analysis.expert_report import ExpertMatch, LayerMatch, Parent, Verdict
from inspector.analysis.layout_coverage import coverage_of
from inspector.analysis.layout_layers import LayerParents, model_layout
from inspector.analysis.layout_map import find_layout
from inspector.render.similarity_charts import verdict_map
from inspector.render.similarity_notes import layout_notes, reproduce_notes, shown_map
from tests.render.whole_model import empty_document

COPIED = {e: e % 8 for e in range(32)}


def noted(layers: Sequence[dict[int, int]], groups: int | None = None) -> list[str]:
    """The notes of layers of 32 experts from 8."""
    made = [
        LayerParents(p, find_layout(p, 32, 8, groups), coverage_of(p, 32, 8, groups))
        for p in layers
    ]
    shown = [
        LayerMatch(layer=number, layout=one.layout, coverage=one.coverage, verdicts={})
        for number, one in enumerate(made)
    ]
    document = msgspec.structs.replace(empty_document(), layout=model_layout(made), layers=shown)
    return layout_notes(document)


def test_a_layout_is_told_with_its_null_its_other_names_and_its_groups() -> None:
    named, same, constant, groups = noted([COPIED, COPIED], groups=8)
    assert named.startswith("layout e mod 8 in 2 of 2 layers, log10 p -5")
    assert "each parent is any reference with equal chance; p of a layer times 10 maps" in named
    assert same == "e mod 8 is the same map as (e // 4 mod 2) * 4 + e mod 4"
    assert constant.startswith("32 of 32 parents are those of the same expert in the layer before")
    assert groups == (
        "0 of 16 routing groups of 4 experts hold a descendant of every reference; each holds 4 of "
        "8"
    )


def test_maps_that_known_parents_do_not_tell_apart_are_all_named() -> None:
    _, tied = noted([{e: e for e in range(8)}])
    assert tied == "as far as parents are known, e mod 8 is also first 8 in place"


def test_no_evidence_is_said_and_what_was_not_looked_for_is_not() -> None:
    (told,) = noted([{0: 1, 1: 3}])
    assert told.startswith("layout: no evidence in 1 layer (null:")
    assert noted([{}]) == []
    tested = LayerMatch(layer=0, layout=None, coverage=coverage_of({}, 32, 8, None), verdicts={})
    assert shown_map(tested) == "no evidence"
    assert shown_map(LayerMatch(layer=0, layout=None, coverage=None, verdicts={})) is None


def test_the_command_is_told_with_version_seed_and_both_commits() -> None:
    document = msgspec.structs.replace(empty_document(), reproduce="s1inspect x", seed=7)
    (told,) = reproduce_notes(document)
    version, commits = document.tool_version, f"{'0f' * 20} and {'0f' * 20}"
    assert told == f"the same again, by s1inspect {version} (seed 7, commits {commits}):"
    assert reproduce_notes(empty_document()) == []


@pytest.mark.parametrize(
    ("z_star", "told"), [(35.92, "from 3 (z* 35.9)"), (None, "from 3 (log10 p -9.1)")], ids=str
)
def test_a_parent_that_gate_and_up_decided_has_no_z(z_star: float | None, told: str) -> None:
    """A page of such an expert could not be made: its z* is null."""
    parent = Parent(expert=3, layer=0, z=None, z_star=z_star, log10_p=-9.12, log10_q=-8.0)
    match = ExpertMatch(
        layer=0, expert=0, verdict=Verdict.DESCENDANT, parents=[parent], flags=[], rows=128
    )
    layer = LayerMatch(layer=0, layout=None, verdicts={"descendant": 1})
    document = msgspec.structs.replace(empty_document(), experts=[match], layers=[layer])
    drawn = verdict_map(document)
    assert drawn.notes == [[told]]
    assert drawn.symbols == ["D"]
