"""What stands beside the weights: settings, tokens, chat templates, other files. Pure."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec

from inspector.analysis.compare.config_diff import Status, status_of
from inspector.analysis.config_meaning import Json

GENERATION: Final = "generation_config.json"
_TOKENIZER: Final = "tokenizer_config.json"
_ADDED: Final = "added_tokens.json"
_SPECIAL: Final = "special_tokens_map.json"
_TEMPLATES: Final = ("chat_template.jinja", "chat_template.json")

SIDE_FILES: Final = (GENERATION, _TOKENIZER, _ADDED, _SPECIAL, *_TEMPLATES)
"""Small files that are read, where they are there."""

_THINKING_SWITCH: Final = "enable_thinking"
_WEIGHTS: Final = (".safetensors", ".safetensors.index.json")


class FileRow(msgspec.Struct, frozen=True, kw_only=True):
    """A value of a small file beside the weights, or a token, in both models."""

    file: str
    key: str
    model: Json
    ref: Json
    status: str


class Template(msgspec.Struct, frozen=True, kw_only=True):
    """A chat template: its length, and whether it has the switch that turns thinking off."""

    characters: int
    has_thinking_switch: bool
    mentions_thinking: bool
    mentions_tools: bool


class FilesDiff(msgspec.Struct, frozen=True, kw_only=True):
    """Files beside the weights: those of one repository only, values and tokens that differ.

    `tokens` has all tokens that are added to a vocabulary and differ; `shared_tokens` counts those
    of the same number in both.
    """

    only_model: list[str]
    only_ref: list[str]
    generation: list[FileRow]
    special: list[FileRow]
    tokens: list[FileRow]
    shared_tokens: int
    chat_template_model: Template | None
    chat_template_ref: Template | None


class SideFiles(msgspec.Struct, frozen=True):
    """The files of a repository by name, with sizes, and the content of the small ones."""

    sizes: Mapping[str, int]
    contents: Mapping[str, bytes]


def files_diff(model: SideFiles, ref: SideFiles) -> FilesDiff:
    """How the files beside the weights differ; what is not a JSON object is left out."""
    ours, theirs = _names(model), _names(ref)
    tokens = list(_rows(_ADDED, _tokens(model), _tokens(ref)))
    return FilesDiff(
        only_model=sorted(ours - theirs) if theirs else [],
        only_ref=sorted(theirs - ours) if ours else [],
        generation=list(_rows(GENERATION, _object(model, GENERATION), _object(ref, GENERATION))),
        special=[
            row
            for row in _rows(_SPECIAL, _special(model), _special(ref))
            if _special(model) and _special(ref)
        ],
        tokens=[row for row in tokens if row.status != Status.SAME]
        if _tokens(model) and _tokens(ref)
        else [],
        shared_tokens=sum(row.status == Status.SAME for row in tokens),
        chat_template_model=_template(model),
        chat_template_ref=_template(ref),
    )


def _names(files: SideFiles) -> set[str]:
    return {name for name in files.sizes if not name.endswith(_WEIGHTS)}


def _rows(file: str, ours: Mapping[str, Json], theirs: Mapping[str, Json]) -> Iterator[FileRow]:
    for key in dict.fromkeys([*ours, *theirs]):
        model, ref = ours.get(key), theirs.get(key)
        yield FileRow(file=file, key=key, model=model, ref=ref, status=status_of(model, ref))


def _object(files: SideFiles, name: str) -> Mapping[str, Json]:
    text = files.contents.get(name)
    if text is None:
        return {}
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _tokens(files: SideFiles) -> Mapping[str, int]:
    """Added tokens by their text, from either file that lists them."""
    found = {
        token: number for token, number in _object(files, _ADDED).items() if type(number) is int
    }
    decoder = _object(files, _TOKENIZER).get("added_tokens_decoder")
    for number, token in decoder.items() if isinstance(decoder, dict) else ():
        if isinstance(token, dict) and isinstance(token.get("content"), str) and number.isdecimal():
            found.setdefault(token["content"], int(number))
    return dict(sorted(found.items(), key=lambda item: item[1]))


def _special(files: SideFiles) -> Mapping[str, Json]:
    """Tokens with a role, as their text: entries are strings, lists or objects with `content`."""
    return {
        role: _content(value)
        for role, value in (_object(files, _SPECIAL) or _roles(files)).items()
        if value is not None
    }


def _roles(files: SideFiles) -> Mapping[str, Json]:
    config = _object(files, _TOKENIZER)
    return {key: value for key, value in config.items() if key.endswith("_token")}


def _content(value: Json) -> Json:
    if isinstance(value, list):
        return [_content(one) for one in value]
    return value.get("content") if isinstance(value, dict) else value


def _template(files: SideFiles) -> Template | None:
    text = next(_template_texts(files), None)
    if text is None:
        return None
    return Template(
        characters=len(text),
        has_thinking_switch=_THINKING_SWITCH in text,
        mentions_thinking=_mentions(text, ("<think>", "reasoning_content")),
        mentions_tools=_mentions(text, ("tools", "tool_call")),
    )


def _template_texts(files: SideFiles) -> Iterator[str]:
    plain, nested = _TEMPLATES
    if plain in files.contents:
        yield files.contents[plain].decode(errors="replace")
    for name in (nested, _TOKENIZER):
        text = _object(files, name).get("chat_template")
        if isinstance(text, str):
            yield text


def _mentions(text: str, words: Iterable[str]) -> bool:
    return any(word in text for word in words)
