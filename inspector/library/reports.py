"""Reports: the JSON documents of the commands, which also show themselves, and save themselves."""

from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeVar

import msgspec

from inspector.analysis.compare.report import CompareDocument
from inspector.analysis.documents import Answer, command_of, parse_answer
from inspector.analysis.expert_report import SimilarityDocument
from inspector.analysis.integrity import CheckDocument
from inspector.analysis.params.report import ParamsDocument
from inspector.analysis.quant.report import AuditDocument
from inspector.analysis.values import DequantDocument
from inspector.errors import ObjectNotFound, UsageError
from inspector.render.documents import view_of
from inspector.render.fragment import render_fragment
from inspector.render.page import render_page
from inspector.render.text import escape
from inspector.render.view import View
from inspector.source.replacing import atomic_file

_WIDTH: Final = 100


class Report:
    """What every report can do beside its fields, which are those of the command's JSON document.

    In a notebook it is the answer and its tables; `print` writes what a terminal shows.
    """

    __slots__ = ()

    def view(self) -> View:
        """The report in the shapes that output formats need."""
        if not isinstance(self, Answer):
            raise TypeError(f"{type(self).__name__} is no document")
        return view_of(self)

    @property
    def answer(self) -> str:
        """The answer in one line; control characters of names are escaped."""
        return escape(self.view().headline)

    def to_json(self) -> str:
        """The document, as --json writes it."""
        return "".join(self.view().document())

    def to_dict(self) -> dict[str, Any]:
        """The document as dicts, lists, text and numbers."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        return found

    def to_rows(self) -> list[dict[str, Any]]:
        """The report's one flat table, a dict a row, for `pandas.DataFrame` and the like."""
        table = self.view().rows()
        names = [column.name for column in table.columns]
        return [dict(zip(names, row, strict=True)) for row in table.rows]

    def save(self, path: str | Path) -> None:
        """Write the page (`.html`) or the document (`.json`); the file appears whole or not at all.

        Raises:
            UsageError: another suffix, or no such folder.
            OutputError: it cannot be written.
        """
        path = Path(path)
        match path.suffix.lower():
            case ".html" | ".htm":
                pieces = render_page("s1inspect", self.view())
            case ".json":
                pieces = self.view().document()
            case other:
                raise UsageError(
                    f"{path}: expected a name in .html or .json, found {other or 'no suffix'}"
                )
        with atomic_file(path) as file:
            for piece in pieces:
                file.write(piece.encode())

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.answer}>"

    def __str__(self) -> str:
        from inspector.render.terminal import plain_text

        return "".join(plain_text(self.view(), width=_WIDTH)).rstrip("\n")

    def _repr_html_(self) -> str:
        return "".join(render_fragment(self.view()))


class AuditReport(Report, AuditDocument, frozen=True, kw_only=True):
    """What `audit` says: `declared`, `observed`, `loaders`, `modules`, `findings`."""


class CheckReport(Report, CheckDocument, frozen=True, kw_only=True):
    """What `check` says: `files`, `findings`, `readers`."""


class CompareReport(Report, CompareDocument, frozen=True, kw_only=True):
    """What `compare` says: `config`, `parameters`, `files`, `tensors`, `weights`, `lineage`."""


class DequantReport(Report, DequantDocument, frozen=True, kw_only=True):
    """What `dequant` says: statistics and histogram of each weight, in `tensors`."""


class ParamsReport(Report, ParamsDocument, frozen=True, kw_only=True):
    """What `params` says: `stored`, `formula`, their `differences`, memory, `others`."""


class SimilarityReport(Report, SimilarityDocument, frozen=True, kw_only=True):
    """What `expert-similarity` says: `summary`, `experts`, `layers`, `calibration`, `budget`."""


AnyReport = (
    AuditReport | CheckReport | CompareReport | DequantReport | ParamsReport | SimilarityReport
)

_KINDS: Final = MappingProxyType[str, type[AnyReport]](
    {
        "audit": AuditReport,
        "check": CheckReport,
        "compare": CompareReport,
        "dequant": DequantReport,
        "params": ParamsReport,
        "expert-similarity": SimilarityReport,
    }
)

AReport = TypeVar("AReport", bound=AnyReport)


def report_of(document: Answer, kind: type[AReport], **changes: object) -> AReport:
    """A document as a report of its kind, some fields changed."""
    fields = {name: getattr(document, name) for name in document.__struct_fields__}
    return kind(**{**fields, **changes})


def read_report(path: str | Path) -> AnyReport:
    """A report that a command wrote with `--json`, or the `report.json` of a run.

    Raises:
        ObjectNotFound: there is no such file.
        UsageError: it is no such document, or not one of this version's.
    """
    try:
        text = Path(path).read_bytes()
    except OSError as error:
        raise ObjectNotFound(f"{path}: cannot be read: {error.strerror}") from error
    document = parse_answer(text, file=str(path))
    return report_of(document, _KINDS[command_of(document)])
