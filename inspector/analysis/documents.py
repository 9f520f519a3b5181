"""Every JSON document by the command that writes it, and documents read back."""

from types import MappingProxyType
from typing import Final

import msgspec

from inspector.analysis.compare.report import CompareDocument
from inspector.analysis.expert_report import SimilarityDocument
from inspector.analysis.integrity import CheckDocument
from inspector.analysis.joined import ReportDocument
from inspector.analysis.kept import CacheDocument
from inspector.analysis.listing import ListingDocument
from inspector.analysis.params.report import ParamsDocument
from inspector.analysis.plan import PlanDocument
from inspector.analysis.quant.report import AuditDocument
from inspector.analysis.runs import RunsDocument
from inspector.analysis.values import DequantDocument
from inspector.errors import UsageError

DOCUMENTS: Final = MappingProxyType[str, type[msgspec.Struct]](
    {
        "list-tensors": ListingDocument,
        "dequant": DequantDocument,
        "check": CheckDocument,
        "expert-similarity": SimilarityDocument,
        "audit": AuditDocument,
        "params": ParamsDocument,
        "compare": CompareDocument,
        "report": ReportDocument,
        "runs": RunsDocument,
        "cache": CacheDocument,
        "plan": PlanDocument,
    }
)
"""Command -> type of its JSON document; `plan` is that of any command's --plan."""

Answer = (
    AuditDocument
    | CheckDocument
    | CompareDocument
    | DequantDocument
    | ParamsDocument
    | SimilarityDocument
)
"""The documents that say something of a checkpoint and can be read back."""

_ANSWERS: Final = MappingProxyType[str, type[Answer]](
    {
        f"s1inspect/{command}/1": kind
        for command, kind in (
            ("audit", AuditDocument),
            ("check", CheckDocument),
            ("compare", CompareDocument),
            ("dequant", DequantDocument),
            ("expert-similarity", SimilarityDocument),
            ("params", ParamsDocument),
        )
    }
)


class _Head(msgspec.Struct):
    schema: str


def command_of(document: Answer) -> str:
    """The command that wrote a document, as its schema says."""
    return document.schema.split("/")[1]


def parse_answer(text: bytes, *, file: str) -> Answer:
    """A document that a command wrote with --json.

    Args:
        text: the file's bytes.
        file: its name, for errors.

    Raises:
        UsageError: it is no such document, or not one of this version's.
    """
    known = ", ".join(name.split("/")[1] for name in _ANSWERS)
    try:
        schema = msgspec.json.decode(text, type=_Head).schema
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{file}: no document of s1inspect: {error}",
            hint=f"write one with --json; those that can be read back: {known}",
        ) from error
    kind = _ANSWERS.get(schema)
    if kind is None:
        raise UsageError(
            f"{file}: expected a document of {known}, found schema {schema!r}",
            hint="write one with --json by this version of s1inspect",
        )
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UsageError(f"{file}: not as {schema} describes: {error}") from error
