"""The JSON schemas as pages: a table of fields for each type of a document."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

_GENERATED: Final = "<!-- Written by `python -m docs.generate`; do not edit. -->"


def schema_index(names: list[str]) -> str:
    """The page that leads to all schemas."""
    lines = [
        "# JSON schemas",
        "",
        _GENERATED,
        "",
        "Every command writes one document with `--json`. Each has a JSON Schema (2020-12); a test",
        "holds real documents to it. The number that ends `schema` is the version",
        "of the document. Every field is always there, null where there is nothing to say.",
        "",
        "| document | page | file |",
        "|---|---|---|",
        *(_row(name) for name in names),
    ]
    return "\n".join(lines) + "\n"


def _row(name: str) -> str:
    return f"| `s1inspect/{name}/1` | [{name}]({name}.md) | [{name}.json]({name}.json) |"


def schema_page(name: str, schema: Mapping[str, Any]) -> str:
    """The page of one schema: the document first, then the types in it, by name."""
    types: Mapping[str, Mapping[str, Any]] = schema["$defs"]
    root = str(schema["$ref"]).rpartition("/")[2]
    lines = [f"# Document of {name}", "", _GENERATED, ""]
    whole = f"[{name}.json]({name}.json)"
    lines += [f"`schema` is `{schema['$id']}`. The whole schema: {whole}.", ""]
    for title in (root, *sorted(types.keys() - {root})):
        lines += _type(title, types[title])
    return "\n".join(lines).rstrip() + "\n"


def _type(title: str, kind: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"## {title}", "")
    described = str(kind.get("description", "")).strip()
    if described:
        yield from (*(_escaped(line.strip()) for line in described.splitlines()), "")
    if "enum" in kind:
        yield from (f"One of {', '.join(f'`{one}`' for one in kind['enum'])}.", "")
        return
    yield from ("| field | type |", "|---|---|")
    for field, what in kind.get("properties", {}).items():
        yield f"| `{field}` | {_said(what)} |"
    yield ""


def _said(what: Mapping[str, Any]) -> str:
    """A type in words: `list of [Family](#family)`, `integer or null`."""
    if "$ref" in what:
        name = str(what["$ref"]).rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in what:
        return " or ".join(_said(one) for one in what["anyOf"])
    if "enum" in what:
        return ", ".join(f"`{one}`" for one in what["enum"])
    match what.get("type"):
        case "array" if "prefixItems" in what:
            return f"[{', '.join(_said(one) for one in what['prefixItems'])}]"
        case "array":
            return f"list of {_said(what.get('items', {}))}"
        case "object" if isinstance(what.get("additionalProperties"), Mapping):
            return f"object of {_said(what['additionalProperties'])}"
        case None:
            return "anything"
        case kind:
            return str(kind)


def _escaped(text: str) -> str:
    """Text of a docstring in which brackets are no links."""
    return text.replace("[", "\\[").replace("]", "\\]") if "`" not in text else text
