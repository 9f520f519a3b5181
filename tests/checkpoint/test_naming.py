"""A checkpoint on disk is opened by the shards that a name needs, and answers as if by all."""

import json
from pathlib import Path

import pytest

from inspector.checkpoint import open_checkpoint
from inspector.checkpoint.discover import shards_naming
from inspector.layout.select import select

SAMPLE = Path(__file__).parents[2] / "sample_shards" / "s1-pro-mini"


@pytest.mark.parametrize(
    "target",
    [
        "layers.0.mlp.experts.2",
        "layers.1.mlp.experts.30.up_proj",
        "model.visual",
        "lm_head",
        "q_norm",
    ],
)
def test_the_shards_of_a_name_hold_all_that_it_selects(target: str) -> None:
    with open_checkpoint(str(SAMPLE)) as whole, open_checkpoint(str(SAMPLE)) as part:
        part.only_naming([target])
        expected = list(whole.catalog.rows(select(whole.catalog.names, target)))
        found = list(part.catalog.rows(select(part.catalog.names, target)))
        assert found == expected
        assert expected
        assert part.stored_bytes == whole.stored_bytes
        assert part.ledger.bytes < whole.ledger.bytes or target == "q_norm"


def test_a_name_that_is_nowhere_is_looked_for_in_every_shard() -> None:
    with open_checkpoint(str(SAMPLE)) as checkpoint:
        checkpoint.only_naming(["layers.7."])
        assert len(checkpoint.catalog.shards) == 5


def test_a_search_finds_keys_and_no_other_names() -> None:
    text = json.dumps({"weight_map": {"a.1.w": "s1", "a.11.w": "s2", "b.a.1.w": "s3"}}).encode()
    assert shards_naming(text, ["a.1."]) == {"s1", "s3"}
    assert shards_naming(text, ["a.1.", "a.11"]) == {"s1", "s2", "s3"}


def test_an_index_with_escapes_is_not_searched() -> None:
    r"""`a.1` may be written `a.\u0031`."""
    assert shards_naming(b'{"weight_map": {"a.\\u0031.w": "s1", "a.1.x": "s2"}}', ["a.1"]) == set()


def test_a_shard_that_is_named_like_a_tensor_is_no_entry() -> None:
    text = json.dumps({"weight_map": {"x": "a.1.safetensors", "y": "s2"}}).encode()
    assert not shards_naming(text, ["a.1."]) <= {"a.1.safetensors", "s2"}
