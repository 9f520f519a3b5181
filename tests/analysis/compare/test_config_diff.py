"""Configs aligned by what their keys mean."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.analysis.compare.config_diff import config_rows
from inspector.analysis.compare.notes import NOTES
from inspector.analysis.config_meaning import SYNONYMS, entries
from inspector.analysis.name_lists import Names, Pattern, name_patterns, names_summary

KEYS = [
    "text_config", "vision_config", "quantization_config", "rope_scaling", "rope_parameters",
    "rope_theta", "type", "rope_type", "num_experts", "n_routed_experts", "eos_token_id", "x",
]  # fmt: skip


def row(path: str, model: dict[str, Any], ref: dict[str, Any]) -> tuple[Any, Any, str]:
    (found,) = [one for one in config_rows(model, ref) if one.path == path]
    return found.model, found.ref, found.status


@pytest.mark.parametrize("name", ["num_experts", "n_routed_experts", "num_local_experts"])
def test_the_number_of_experts_is_one_field_under_all_its_names(name: str) -> None:
    assert row("text.num_experts", {"num_experts": 4}, {name: 4}) == (4, 4, "same")


def test_a_nested_text_model_is_aligned_with_a_flat_one() -> None:
    nested = {"text_config": {"hidden_size": 8}, "tie_word_embeddings": False}
    flat = {"hidden_size": 8, "tie_word_embeddings": True}
    assert row("text.hidden_size", nested, flat) == (8, 8, "same")
    assert row("text.tie_word_embeddings", nested, flat) == (False, True, "changed")


@pytest.mark.parametrize(
    "other",
    [
        {"rope_theta": 5.0, "rope_scaling": {"type": "yarn", "factor": 4}},
        {"rope_parameters": {"rope_theta": 5.0, "rope_type": "yarn", "factor": 4}},
    ],
    ids=["rope_scaling", "rope_parameters"],
)
def test_rope_is_aligned_wherever_it_stands(other: dict[str, Any]) -> None:
    model = {"rope_theta": 5.0, "rope_scaling": {"rope_type": "yarn", "factor": 4}}
    assert {one.status for one in config_rows(model, other)} == {"same"}
    assert {one.path for one in config_rows(model, other)} == {
        "text.rope_theta", "text.rope_type", "text.rope.factor",
    }  # fmt: skip


def test_null_is_the_same_as_absent() -> None:
    assert row("text.sliding_window", {"sliding_window": None}, {}) == (None, None, "same")
    assert row("text.sliding_window", {"sliding_window": None}, {"sliding_window": 5}) == (
        None, 5, "only_ref",
    )  # fmt: skip


def test_a_list_of_names_in_another_order_is_the_same() -> None:
    model = {"quantization_config": {"ignore": ["a", "b"]}}
    ref = {"quantization_config": {"ignore": ["b", "a"]}}
    assert row("quantization.ignore", model, ref)[2] == "same"


def test_numbers_in_another_order_are_not_the_same() -> None:
    assert row("text.mrope", {"mrope": [1, 2]}, {"mrope": [2, 1]})[2] == "changed"


def test_quantization_inside_the_text_model_is_found() -> None:
    nested = {"text_config": {"quantization_config": {"fmt": "e4m3"}}}
    flat = {"quantization_config": {"fmt": "e4m3"}}
    assert row("quantization.fmt", nested, flat) == ("e4m3", "e4m3", "same")


def test_unknown_fields_are_shown_all_the_same() -> None:
    assert row("text.strange", {"strange": {"deep": [1]}}, {}) == (
        {"deep": [1]}, None, "only_model",
    )  # fmt: skip


def test_keys_say_where_the_files_have_a_value() -> None:
    (found,) = config_rows({"text_config": {"n_routed_experts": 4}}, {"num_experts": 4})
    assert (found.model_key, found.ref_key) == ("text_config.n_routed_experts", "num_experts")


def test_every_value_of_a_config_is_in_one_entry() -> None:
    raw = {
        "text_config": {"a": 1, "rope_scaling": {"factor": 2}}, "vision_config": {"b": 3},
        "eos_token_id": 4, "auto_map": {"c": 5}, "tie_word_embeddings": True,
    }  # fmt: skip
    assert sorted(str(one.value) for one in entries(raw)) == sorted(
        ["1", "2", "3", "4", "{'c': 5}", "True"]
    )


values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner),
    max_leaves=8,
)
configs = st.dictionaries(st.sampled_from(KEYS), values, max_size=6)


@settings(max_examples=150)
@given(configs, configs)
def test_any_two_configs_are_compared(model: dict[str, Any], ref: dict[str, Any]) -> None:
    """Whatever stands where an object or a list is usual."""
    rows = config_rows(model, ref)
    assert len({one.path for one in rows}) == len(rows)
    assert all(one.status == "same" for one in config_rows(model, model))
    statuses = {one.path: one.status for one in rows}
    mirrored = {one.path: one.status for one in config_rows(ref, model)}
    other = {"only_model": "only_ref", "only_ref": "only_model"}
    assert {path: other.get(status, status) for path, status in statuses.items()} == mirrored


def test_two_keys_of_one_meaning_and_unlike_values_are_both_shown() -> None:
    """gpt-oss states both `num_experts_per_tok` and `experts_per_token`."""
    rows = config_rows({"num_experts_per_tok": 4, "experts_per_token": 2}, {})
    assert {row.path: row.model for row in rows} == {
        "text.num_experts_per_tok": 4, "text.experts_per_token": 2,
    }  # fmt: skip
    alike = config_rows({"num_experts_per_tok": 4, "experts_per_token": 4}, {})
    assert [row.path for row in alike] == ["text.num_experts_per_tok"]


def test_a_name_has_one_meaning() -> None:
    names = [name for names in SYNONYMS.values() for name in names]
    assert len(names) == len(set(names))
    assert not set(names) & set(SYNONYMS)


def test_every_note_names_a_section_and_a_source() -> None:
    assert {path.partition(".")[0] for path in NOTES} <= {"text", "vision", "quantization"}
    assert all(note.text and note.source for note in NOTES.values())


def test_duplicates_in_a_list_are_counted() -> None:
    found = names_summary(["lm_head", "lm_head", "layers.0.gate"])
    assert (found.entries, found.unique) == (3, 2)


def test_patterns_stand_for_exactly_the_names() -> None:
    names = [f"layers.{i}.{part}" for i in (0, 1, 2, 5) for part in ("gate", "norm")]
    assert name_patterns(names) == [
        Pattern("layers.{0..2,5}.gate", 4), Pattern("layers.{0..2,5}.norm", 4),
    ]  # fmt: skip


def test_a_short_list_stays_a_list() -> None:
    assert row("quantization.ignore", {"quantization_config": {"ignore": ["lm_head"]}}, {})[0] == [
        "lm_head"
    ]
    long = {"quantization_config": {"ignore": [f"layers.{i}.gate" for i in range(40)]}}
    found = row("quantization.ignore", long, {})[0]
    assert isinstance(found, Names)
    assert found.patterns == [Pattern("layers.{0..39}.gate", 40)]
