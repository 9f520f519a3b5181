"""Several references after stage 0: each has a hidden basis and a map of layers of its own."""

from collections.abc import Sequence

import numpy as np
import pytest

from inspector.analysis.expert_match import LOOK_ROWS
from inspector.analysis.expert_plan import plan_match
from inspector.analysis.expert_report import Flag, SimilarityDocument, Verdict
from inspector.analysis.report import Cost, Reads
from inspector.checkpoint import Checkpoint
from inspector.checkpoint.matching import ExpertQuestion, ask_experts
from inspector.errors import UsageError
from inspector.source.base import MemorySource
from tests.analysis.test_hidden_basis import (
    EXPERTS,
    LAYERS,
    Tensors,
    drawn,
    renumbered,
    rotation,
    trained_on,
    turned,
)
from tests.strategies_arrays import memory_checkpoint

FREE = Cost(requests=0, bytes=0, seconds=0.0)


def named_checkpoint(tensors: Tensors, name: str) -> tuple[Checkpoint, MemorySource]:
    checkpoint, source = memory_checkpoint(tensors)
    source.location = name
    source.reads.clear()
    return checkpoint, source


def asked(ours: Tensors, references: Sequence[Tensors]) -> ExpertQuestion:
    model = named_checkpoint(ours, "m")[0]
    others = [named_checkpoint(one, f"r{n}")[0] for n, one in enumerate(references)]
    return question(model, others)


def question(model: Checkpoint, others: Sequence[Checkpoint]) -> ExpertQuestion:
    return ask_experts(model, others, layers=None, experts=None, seed=0, layer_map=None)


def answer(found: ExpertQuestion) -> SimilarityDocument:
    known = found.after([one.read() for one in found.hidden])
    return known.answered(lambda what, done, total: None).document(FREE)


def mixed(one: Tensors, other: Tensors, numbers: range) -> Tensors:
    """The first, its experts of some numbers those of the other."""
    return one | {
        name: other[name] for name in one if any(f"experts.{n}." in name for n in numbers)
    }


def test_a_reference_in_another_basis_is_looked_at_as_a_rotated_one() -> None:
    """Experts 0..2 descend from the first, 3..5 from the second, whose basis is another."""
    first, second = drawn(0), drawn(7)
    ours = mixed(trained_on(first, 1), trained_on(second, 2), range(3, 6))
    ours = mixed(ours, drawn(11), range(6, EXPERTS))
    found = answer(asked(ours, [first, turned(second, rotation(1))]))
    assert found.refs
    assert [one.basis and one.basis.basis for one in found.refs] == ["shared", "not_seen"]
    assert (found.basis, found.layer_map) == (None, None)
    for one in found.experts:
        parents = [(parent.ref, parent.layer, parent.expert) for parent in one.parents]
        if one.expert < 3:
            assert parents == [("r0", one.layer, one.expert)]
            assert Flag.ROTATED not in one.flags
        elif one.expert < 6:
            assert parents == [("r1", one.layer, one.expert)]
            assert Flag.ROTATED in one.flags
        else:
            assert one.verdict is Verdict.INCONCLUSIVE
    assert found.budget.hypotheses == 3 * EXPERTS * 2 * EXPERTS
    assert found.budget.excluded == []
    assert "no hidden basis in common with r1 was seen, so nothing is excluded" in found.summary


def test_rows_of_gate_and_up_are_looked_at_where_the_basis_is_shared() -> None:
    """Beside a reference of another basis, an expert of the first with a new `down_proj`."""
    first, other = drawn(0), drawn(9)
    ours = trained_on(first, 1)
    name = "model.layers.1.mlp.experts.2.down_proj.weight"
    ours[name] = drawn(12)[name]
    found = answer(asked(ours, [first, turned(other, rotation(1))]))
    (one,) = (one for one in found.experts if (one.layer, one.expert) == (1, 2))
    assert Flag.DOWN_REINITIALISED in one.flags
    assert [(parent.ref, parent.expert) for parent in one.parents] == [("r0", 2)]


def test_each_reference_has_a_map_of_layers_of_its_own() -> None:
    """The model is layers 2..5 of the second, which has six; of the first it is all four."""
    older = renumbered(LAYERS, {0: 2, 1: 3, 2: 4, 3: 5})
    first = mixed(older, renumbered(drawn(8, layers=4), dict(enumerate(range(4)))), range(4))
    ours = mixed(trained_on(first, 1), trained_on(older, 2), range(4))
    found = answer(asked(ours, [first, mixed(LAYERS, drawn(10, layers=6), range(4, EXPERTS))]))
    assert found.refs
    assert [one.layer_map and one.layer_map.map for one in found.refs] == ["l", "l+2"]
    for one in found.experts:
        parents = [(parent.ref, parent.layer, parent.expert) for parent in one.parents]
        if one.expert < 4:
            assert parents == [("r1", one.layer + 2, one.expert)]
            assert Flag.LAYER_OFFSET in one.flags
        else:
            assert parents == [("r0", one.layer, one.expert)]
            assert Flag.LAYER_OFFSET not in one.flags
    assert "layers compared with r1 as l+2, as their norms propose" in found.summary


@pytest.mark.parametrize(
    "others",
    [
        pytest.param([], id="alone"),
        pytest.param([trained_on(drawn(0), 3, sigma=1.0)], id="with a relative"),
        pytest.param([drawn(5)], id="with one of another basis"),
    ],
)
def test_a_plan_is_what_a_run_reads_stage_0_and_all(others: list[Tensors]) -> None:
    """All experts are decided by 8 rows; nothing is quantized, so no scale is read."""
    parent = drawn(0)
    models = [trained_on(parent, 1, sigma=0.3), parent, *others]
    (model, source), *references = (named_checkpoint(one, f"m{n}") for n, one in enumerate(models))
    found = question(model, [one for one, _ in references])
    choice = found.choice
    certain = [one.planned() for one in found.hidden]
    certain += plan_match(choice.taken.target, choice.taken.reference, choice.request, LOOK_ROWS)
    certain = [one for one in certain if not one.is_bound]
    sources = [source, *(one for _, one in references)]
    for one in sources:
        one.reads.clear()
    document = answer(found)
    assert {one.rows for one in document.experts} == {LOOK_ROWS[0]}
    spans = [span for one in sources for _, span in one.reads]
    read = Reads(requests=len(spans), bytes=sum(map(len, spans)))
    if document.refs and document.refs[-1].basis and document.refs[-1].basis.is_missing:
        certain += found.hidden[-1].planned_gains()
    assert read == Reads(
        requests=sum(one.requests for one in certain), bytes=sum(one.bytes for one in certain)
    )


def test_one_checkpoint_is_named_once() -> None:
    model, _ = named_checkpoint(drawn(0), "m")
    other, _ = named_checkpoint(drawn(1), "r")
    with pytest.raises(UsageError, match="two references are one checkpoint: r"):
        question(model, [other, other])
    with pytest.raises(UsageError, match="the model itself, m, beside others"):
        question(model, [other, model])


def test_the_model_itself_is_no_parent_of_its_experts() -> None:
    """Every expert is a copy of itself, and of a twin in one layer."""
    ours = drawn(0)
    for name in list(ours):
        if ".layers.1." in name and "experts.3." in name:
            twin = ours[name.replace("experts.3.", "experts.6.")]
            ours[name] = twin + np.float32(0.1) * twin.std() * ours[name] / ours[name].std()
    model, _ = named_checkpoint(ours, "m")
    found = answer(question(model, [model]))
    assert found.budget.hypotheses == 3 * EXPERTS * (EXPERTS - 1)
    for one in found.experts:
        twins = {3: [6], 6: [3]}.get(one.expert, []) if one.layer == 1 else []
        assert [parent.expert for parent in one.parents] == twins
