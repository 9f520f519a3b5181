"""Several reports as one page: all answers first, then a part of the page for each."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from inspector.analysis.documents import Answer, command_of
from inspector.analysis.integrity import count_by_severity
from inspector.analysis.joined import JoinedReport, ReportDocument
from inspector.errors import Severity
from inspector.render.document import render_json
from inspector.render.documents import view_of
from inspector.render.findings import counted_severity
from inspector.render.page import charts_and_tables, embedded, page_end, page_start
from inspector.render.tables import Column, Table
from inspector.render.text import counted, decimal_bytes, html_text, json_safe
from inspector.render.view import View

_ASSETS: Final = ("page", "joined")

_QUESTIONS: Final = MappingProxyType(
    {
        "audit": "Is it quantized as its config says?",
        "check": "Is it sound?",
        "compare": "How do the two differ?",
        "dequant": "What are its numbers?",
        "expert-similarity": "Do its experts descend from the reference's?",
        "params": "How many parameters has it?",
    }
)


@dataclass(frozen=True, slots=True)
class Part:
    """One report of the page: its document, its JSON as it was written, and the file's name."""

    file: str
    text: str
    document: Answer


def joined_view(parts: Sequence[Part]) -> View:
    """The answers of several reports, a row for each."""
    reports = [_joined(part) for part in parts]
    document = ReportDocument(schema="s1inspect/report/1", reports=reports)
    return View(
        headline=_headline(reports),
        tables=lambda: [_answers(reports)],
        rows=lambda: _rows(reports),
        names=lambda: (one.file for one in reports),
        document=lambda: render_json(document),
    )


def _answers(reports: Sequence[JoinedReport]) -> Table:
    columns = [Column("report"), Column("answer"), Column("findings", show=_said)]
    return Table(columns, [(one.file, one.answer, one.findings) for one in reports])


def _rows(reports: Sequence[JoinedReport]) -> Table:
    names = ("file", "command", "model", "ref", "answer", "errors", "warnings", "infos")
    rows = [
        (
            one.file, one.command, one.model.location, one.ref.location if one.ref else None,
            one.answer, *(one.findings.get(severity, 0) for severity in Severity),
        )
        for one in reports
    ]  # fmt: skip
    return Table([Column(name) for name in names], rows)


def _joined(part: Part) -> JoinedReport:
    document = part.document
    counts = count_by_severity(document.findings)
    return JoinedReport(
        file=part.file,
        command=command_of(document),
        model=document.model,
        ref=getattr(document, "ref", None),
        answer=view_of(document).headline,
        findings={str(severity): count for severity, count in counts.items()},
        tool_version=document.tool_version,
    )


def _headline(reports: Sequence[JoinedReport]) -> str:
    models = list(dict.fromkeys(one.model.location for one in reports))
    more = f" and {len(models) - 1} more" if len(models) > 1 else ""
    return f"{counted(len(reports), 'report')} of {models[0]}{more}"


def _said(findings: Mapping[str, int]) -> str:
    """How many findings of each severity."""
    said = (counted_severity(Severity(name), count) for name, count in findings.items())
    return ", ".join(said) or "none"


def render_joined(parts: Sequence[Part]) -> Iterator[str]:
    """The page, in pieces: every answer, then for each report charts, tables and its document.

    Nothing is asked of a network, names are text, and the page's own script is the only one.
    """
    reports = [_joined(part) for part in parts]
    anchors = _anchors(reports)
    title = _title(reports)
    yield from page_start(f"s1inspect: {title}", *_ASSETS)
    yield '<a class="skip" href="#reports">to the reports</a>\n'
    yield f'<header><p class="tool">s1inspect</p><h1>{html_text(title)}</h1></header>\n'
    yield '<nav aria-label="reports"><ol>'
    for one, anchor in zip(reports, anchors, strict=True):
        yield f'<li><a href="#{anchor}">{html_text(one.command)}</a></li>'
    yield '</ol></nav>\n<main>\n<ul class="answers" aria-label="answers">\n'
    for one, anchor in zip(reports, anchors, strict=True):
        yield (
            f'<li><a href="#{anchor}"><span class="question">{html_text(_question(one))}</span>'
            f'<span class="told">{html_text(one.answer.removeprefix(f"{title}: "))}</span></a>'
            f"{_badge(one)}</li>\n"
        )
    yield '</ul>\n<div id="reports">\n'
    for part, one, anchor in zip(parts, reports, anchors, strict=True):
        yield from _section(part, one, anchor)
    yield "</div>\n</main>\n"
    yield page_end(*_ASSETS)


def _section(part: Part, one: JoinedReport, anchor: str) -> Iterator[str]:
    yield (
        f'<article data-report id="{anchor}" aria-labelledby="{anchor}-title">'
        f'<h2 id="{anchor}-title">{html_text(_question(one))}</h2>\n'
        f'<p class="answer">{html_text(one.answer)}</p>\n'
        f'<p class="facts">{_badge(one)}{html_text(_facts(part, one))}</p>\n'
    )
    yield from charts_and_tables(view_of(part.document), heading="h3")
    text = json_safe(part.text)
    yield from embedded([text], f"s1inspect-{anchor}.json", key=f"document-{anchor}")
    yield "</article>\n"


def _question(one: JoinedReport) -> str:
    return _QUESTIONS[one.command]


def _badge(one: JoinedReport) -> str:
    """How bad the worst finding is; nothing where there is none."""
    worst = next(iter(one.findings), None)
    if worst is None:
        return ""
    return f'<span class="badge {worst}">{html_text(_said(one.findings))}</span>'


def _facts(part: Part, one: JoinedReport) -> str:
    """Which command, of what, at which commit, at what cost."""
    cost = part.document.cost
    sides = [one.model, *([one.ref] if one.ref else [])]
    named = " against ".join(
        f"{side.location}{f' at {side.commit[:8]}' if side.commit else ''}" for side in sides
    )
    read = f"{counted(cost.requests, 'read')}, {decimal_bytes(cost.bytes)}" if cost.requests else ""
    return " · ".join(
        word for word in (one.command, named, read, f"s1inspect {one.tool_version}") if word
    )


def _title(reports: Sequence[JoinedReport]) -> str:
    """The model, where all are of one."""
    models = list(dict.fromkeys(one.model.location for one in reports))
    return models[0] if len(models) == 1 else f"{counted(len(models), 'checkpoint')}"


def _anchors(reports: Sequence[JoinedReport]) -> list[str]:
    """A fragment for each: its command, numbered from the second on."""
    seen: Counter[str] = Counter()
    anchors = []
    for one in reports:
        seen[one.command] += 1
        count = seen[one.command]
        anchors.append(one.command if count == 1 else f"{one.command}-{count}")
    return anchors
