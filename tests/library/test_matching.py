"""`expert_similarity` with pairs that are read whole: those of the command's `--verify`."""

import json
from collections.abc import Iterator

import pytest

from inspector import BudgetExceeded, OpenCheckpoint, UsageError, open_checkpoint
from tests.cli.running import FUSED, QWEN3, S1, answer

NAMED = "layers.0.experts.4=4,layers.0.mlp.experts.7=7"
EXPERTS = range(3, 8)


@pytest.fixture
def model() -> Iterator[OpenCheckpoint]:
    with open_checkpoint(S1, cache=False) as opened:
        yield opened


@pytest.mark.parametrize("verify", [2, "2", NAMED], ids=["count", "text", "named"])
def test_pairs_are_read_whole_as_by_the_command(model: OpenCheckpoint, verify: int | str) -> None:
    report = model.expert_similarity(QWEN3, layers=[0], experts=EXPERTS, verify=verify)
    ours = json.loads(report.to_json())
    asked = ("-m", S1, "--ref", QWEN3, "--layers", "0", "--experts", "3..7")
    theirs = json.loads(
        answer("expert-similarity", *asked, "--verify", str(verify), "--json", "--no-cache")
    )
    assert ours["cost"].pop("bytes") == theirs["cost"].pop("bytes")
    del ours["cost"], theirs["cost"]
    assert ours == theirs
    assert len(report.pairs) == 2


def test_a_named_copy_has_every_neuron_of_its_parent(model: OpenCheckpoint) -> None:
    (pair,) = model.expert_similarity(
        QWEN3, layers=[0], experts=[4], verify="layers.0.experts.4=4"
    ).pairs
    assert (pair.expert, pair.reference, pair.retained.estimate) == (4, 4, 1.0)


def test_without_it_no_pair_is_read(model: OpenCheckpoint) -> None:
    assert model.expert_similarity(QWEN3, layers=[0], experts=EXPERTS).pairs == []
    assert model.expert_similarity(QWEN3, layers=[0], experts=EXPERTS, verify=0).pairs == []


@pytest.mark.parametrize(
    ("verify", "said"),
    [
        (-1, "not an expert and a reference"),
        (1001, "at most 1,000 pairs"),
        ("experts.3=1", "not an expert and a reference"),
        ("layers.0.experts.3=8", "the reference has no expert 8 in layer 0"),
    ],
)
def test_what_names_no_pair_is_refused(model: OpenCheckpoint, verify: int | str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        model.expert_similarity(QWEN3, layers=[0], experts=EXPERTS, verify=verify)


def test_what_names_no_pair_is_refused_before_anything_is_opened(model: OpenCheckpoint) -> None:
    with pytest.raises(UsageError, match="not an expert and a reference"):
        model.expert_similarity("./nothing-is-there", verify="experts.3")


def test_pairs_are_not_named_of_several_references_or_of_layers_that_norms_tell(
    model: OpenCheckpoint,
) -> None:
    with pytest.raises(UsageError, match="there are several"):
        model.expert_similarity([QWEN3, FUSED], layers=[0], verify=NAMED)
    with pytest.raises(UsageError, match="only norms tell which layers"):
        model.expert_similarity(QWEN3, layers=[0], layer_map="auto", verify=NAMED)


def test_the_budget_counts_the_pairs() -> None:
    with (
        open_checkpoint(S1, cache=False, max_bytes=1_000_000) as model,
        pytest.raises(BudgetExceeded, match="--verify would read up to"),
    ):
        model.expert_similarity(QWEN3, layers=[0], experts=EXPERTS, verify=2)
