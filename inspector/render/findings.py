"""Findings for people: the rules that are broken, and the first findings of each."""

from collections.abc import Mapping, Sequence
from typing import Final

from inspector.analysis.integrity import RuleGroup
from inspector.errors import Severity
from inspector.format.rules import Rule
from inspector.render.tables import Column, Table
from inspector.render.text import counted, escape

SHOWN_OF_A_RULE: Final = 5
"""Findings of one rule that people see; 100,000 names absent from a shard are one fault."""

_LONGEST: Final = 200
"""Letters of a name in a table for people; programs get all."""


def counted_severity(severity: Severity, count: int) -> str:
    """How many findings of a severity."""
    return f"{count:,} info" if severity is Severity.INFO else counted(count, str(severity))


def summary_table(groups: Sequence[RuleGroup], rules: Mapping[str, Rule]) -> Table:
    """The rules that are broken, and how often; in how many files, where findings lie in files."""
    in_files = any(one.where.shard for group in groups for one in group.findings)
    columns = (
        Column("severity"), Column("rule"), Column("findings", right=True),
        *([Column("files", right=True)] if in_files else []), Column("meaning"),
    )  # fmt: skip
    rows = [
        (
            str(group.severity), group.rule, len(group.findings),
            *([group.files] if in_files else []), rules[group.rule][1],
        )
        for group in groups
    ]  # fmt: skip
    return Table(columns, rows)


def details_table(group: RuleGroup, most: int, advice: str | None = None) -> Table:
    """The first findings of a rule, a line for how many more there are, and what to do."""
    first = group.findings[:most]
    messages = {finding.message for finding in first}
    told = _short(messages.pop()) if len(messages) == 1 else None
    columns = [Column("where"), Column("expected"), Column("found")]
    rows: list[list[str | None]] = [
        [_short(str(finding.where)), _short(finding.expected), _short(finding.found)]
        for finding in first
    ]
    if told is None:
        columns.append(Column("what"))
        rows = [[*row, _short(one.message)] for row, one in zip(rows, first, strict=True)]
    more = len(group.findings) - len(first)
    if more > 0:
        rows.append([f"... and {more:,} more", *([None] * (len(columns) - 1))])
    title = f"{group.rule}: {told}" if told else group.rule
    return Table(columns, rows, title=escape(f"{title}. {advice}" if advice else title))


def _short(text: str) -> str:
    """Text that a person can look over: the middle of a longer one is left out."""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]} ... {text[-40:]}"
