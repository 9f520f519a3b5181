"""The JSON document: one a run, its long list streamed, its schema made from its type."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import msgspec

from inspector.render.text import json_safe

_ENCODER = msgspec.json.Encoder()
_CHUNK = 4096


def render_json(
    document: msgspec.Struct, rows: Iterable[msgspec.Struct] | None = None
) -> Iterator[str]:
    """The document on lines of its own for each row of its last field.

    Args:
        document: its last field is a list.
        rows: what is written in place of that list, taken as they are needed; None for the list.
    """
    own = getattr(document, document.__struct_fields__[-1])
    if not isinstance(own, list):
        raise TypeError(f"the last field of {type(document).__name__} is not a list")
    rows = own if rows is None else rows
    head = _ENCODER.encode(_emptied(document)).decode()
    yield json_safe(head[:-2])
    remaining = iter(rows)
    separator = "\n"
    while chunk := list(islice(remaining, _CHUNK)):
        lines = _ENCODER.encode_lines(chunk).decode().rstrip("\n").replace("\n", ",\n")
        yield separator + json_safe(lines)
        separator = ",\n"
    yield "\n]}\n"


def schema_of(document_type: type[msgspec.Struct], name: str) -> dict[str, Any]:
    """The JSON Schema (2020-12) of a document type."""
    (schema,), components = msgspec.json.schema_components(
        [document_type], ref_template="#/$defs/{name}"
    )
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"s1inspect/{name}/1",
        **schema,
        "$defs": components,
    }


def _emptied(document: msgspec.Struct) -> msgspec.Struct:
    fields = {name: getattr(document, name) for name in document.__struct_fields__}
    fields[document.__struct_fields__[-1]] = []
    return type(document)(**fields)
