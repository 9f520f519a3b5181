"""Two configs row by row, aligned by meaning. Pure."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final

import msgspec

from inspector.analysis.compare.notes import NOTES
from inspector.analysis.config_meaning import Entry, Json, Section, entries
from inspector.analysis.name_lists import summarised


class Status(StrEnum):
    """How a row of one model compares with the other's."""

    SAME = "same"
    CHANGED = "changed"
    ONLY_MODEL = "only_model"
    ONLY_REF = "only_ref"


class ConfigRow(msgspec.Struct, frozen=True, kw_only=True):
    """One value of two configs.

    `path` is section and meaning; `model_key` and `ref_key` are where the files have it, null where
    they do not. A long list of names is summarised. `note` says what the field means, and `source`
    where that is written.
    """

    path: str
    section: str
    model: Json
    ref: Json
    status: str
    model_key: str | None
    ref_key: str | None
    note: str | None
    source: str | None


_ORDER: Final = {section: position for position, section in enumerate(Section)}


def config_rows(model: Mapping[str, Json], ref: Mapping[str, Json]) -> list[ConfigRow]:
    """All values of two configs, by section, each section in the order of the model's file.

    A value of null is the same as none.
    """
    return rows_of(entries(model), entries(ref))


def rows_of(model: Iterable[Entry], ref: Iterable[Entry]) -> list[ConfigRow]:
    """Rows of two lists of entries."""
    ours, theirs = _by_path(model), _by_path(ref)
    paths = dict.fromkeys([*ours, *theirs])
    rows = [_row(path, ours.get(path), theirs.get(path)) for path in paths]
    return sorted(rows, key=lambda row: _ORDER.get(Section(row.section), len(_ORDER)))


def _by_path(found: Iterable[Entry]) -> dict[str, Entry]:
    """Entries by path. Of two with one meaning and unlike values, the second keeps its own key."""
    by_path: dict[str, Entry] = {}
    for one in found:
        first = by_path.get(one.path)
        if first is None or first.value is None:
            by_path[one.path] = one
        elif one.value is not None and one.value != first.value:
            by_path[f"{one.section}.{one.key}"] = one
    return by_path


def _row(path: str, ours: Entry | None, theirs: Entry | None) -> ConfigRow:
    left, right = (None if one is None else one.value for one in (ours, theirs))
    note = NOTES.get(path)
    return ConfigRow(
        path=path,
        section=path.partition(".")[0],
        model=summarised(left),
        ref=summarised(right),
        status=status_of(left, right),
        model_key=ours.key if ours else None,
        ref_key=theirs.key if theirs else None,
        note=note.text if note else None,
        source=note.source if note else None,
    )


def status_of(model: Json, ref: Json) -> Status:
    """How two values compare; lists of names as sets, for quantizers write them unsorted."""
    if model == ref or (_names(model) and _names(ref) and sorted(model) == sorted(ref)):
        return Status.SAME
    if model is None:
        return Status.ONLY_REF
    return Status.ONLY_MODEL if ref is None else Status.CHANGED


def _names(value: Json) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)
