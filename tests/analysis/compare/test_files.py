"""What stands beside the weights: settings, tokens, templates, files of one repository."""

import json
from typing import Any

import pytest

from inspector.analysis.compare.files import FilesDiff, SideFiles, files_diff


def side(*others: str, **documents: Any) -> SideFiles:
    """Files by name, `__` for a dot; objects are written as JSON."""
    contents = {
        name.replace("__", "."): (value if isinstance(value, bytes) else json.dumps(value).encode())
        for name, value in documents.items()
    }
    return SideFiles(dict.fromkeys([*contents, *others], 1), contents)


def diff(model: SideFiles, ref: SideFiles) -> FilesDiff:
    return files_diff(model, ref)


def test_files_of_one_repository_are_listed_but_not_weights() -> None:
    """Intern-S1-Pro has tokenizers of its own for proteins, molecules and nucleic acids."""
    found = diff(
        side("tokenizer_PROT.model", "vocab.json", "model-1-of-2.safetensors"),
        side("vocab.json", "model.safetensors", "model.safetensors.index.json", "merges.txt"),
    )
    assert found.only_model == ["tokenizer_PROT.model"]
    assert found.only_ref == ["merges.txt"]


def test_generation_settings_are_compared_row_by_row() -> None:
    found = diff(
        side(generation_config__json={"top_k": 50, "top_p": 0.95, "do_sample": True}),
        side(generation_config__json={"top_k": 20, "top_p": 0.95, "temperature": 1.0}),
    )
    assert {row.key: row.status for row in found.generation} == {
        "top_k": "changed", "top_p": "same", "do_sample": "only_model", "temperature": "only_ref",
    }  # fmt: skip


def test_added_tokens_are_aligned_whichever_file_lists_them() -> None:
    """`added_tokens.json` maps text to number, `tokenizer_config.json` number to an object."""
    found = diff(
        side(added_tokens__json={"<think>": 5, "<dna>": 9, "<box>": 7}),
        side(
            tokenizer_config__json={
                "added_tokens_decoder": {"5": {"content": "<think>"}, "8": {"content": "<box>"}}
            }
        ),
    )
    assert [(row.key, row.model, row.ref, row.status) for row in found.tokens] == [
        ("<box>", 7, 8, "changed"), ("<dna>", 9, None, "only_model"),
    ]  # fmt: skip
    assert found.shared_tokens == 1


def test_tokens_with_a_role_are_compared_as_their_text() -> None:
    found = diff(
        side(special_tokens_map__json={"eos_token": {"content": "<end>", "lstrip": False}}),
        side(tokenizer_config__json={"eos_token": "<end>", "pad_token": None}),
    )
    assert [(row.key, row.status) for row in found.special] == [("eos_token", "same")]


@pytest.mark.parametrize(
    "files",
    [
        side(chat_template__jinja=b"{% if enable_thinking %}<think>{% endif %}"),
        side(chat_template__json={"chat_template": "{% if enable_thinking %}<think>{% endif %}"}),
        side(tokenizer_config__json={"chat_template": "{{ enable_thinking }}<think>"}),
    ],
    ids=["jinja", "json", "tokenizer_config"],
)
def test_a_thinking_switch_is_found_wherever_the_template_is(files: SideFiles) -> None:
    found = diff(files, side(chat_template__jinja=b"{{ messages }}"))
    assert found.chat_template_model is not None
    assert found.chat_template_ref is not None
    assert found.chat_template_model.has_thinking_switch
    assert found.chat_template_model.mentions_thinking
    assert not found.chat_template_ref.has_thinking_switch


@pytest.mark.parametrize("text", [b"", b"[1]", b"{", b"\xff"], ids=repr)
def test_a_file_that_is_no_json_object_is_left_out(text: bytes) -> None:
    found = diff(side(generation_config__json=text), side(generation_config__json={"top_k": 1}))
    assert [row.status for row in found.generation] == ["only_ref"]


def test_without_files_there_is_nothing_to_say() -> None:
    found = diff(side(), side("merges.txt"))
    assert (found.only_model, found.only_ref, found.tokens) == ([], [], [])
