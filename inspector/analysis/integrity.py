"""Is a checkpoint sound: every file by itself, and index, headers and files against each other.

A broken file is a finding and stops nothing. One cause is one finding: what cannot be told of a
shard that is broken is not held against the index.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from inspector.analysis.report import Cost, Document, Model
from inspector.catalog import CatalogBuilder
from inspector.catalog.agreement import check_across_shards, check_index, check_series
from inspector.errors import Problem, Severity
from inspector.format.index import Index
from inspector.format.readers import ReaderVerdicts, verdicts_on
from inspector.format.shard_report import ShardReport


class FileRow(msgspec.Struct, frozen=True):
    """One shard: bytes of the file and of its header's JSON, tensors; null where unknown."""

    file: str
    bytes: int | None
    header_bytes: int | None
    tensors: int | None


class CheckDocument(Document, frozen=True, kw_only=True):
    """`s1inspect check --json`. `readers` has a row for each rule among the findings."""

    readers: list[ReaderVerdicts]
    files: list[FileRow]

    @property
    def stored_bytes(self) -> int:
        """Of the shards, where known."""
        return _bytes_of(self.files)

    @property
    def tensors(self) -> int:
        return _tensors_of(self.files)


@dataclass(frozen=True, slots=True)
class IndexReport:
    """One index as it was found; `index` is None where it could not be read."""

    file: str
    bytes: int
    index: Index | None
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class Integrity:
    """What was examined and what is wrong with it, worst first."""

    files: tuple[FileRow, ...]
    indexes: tuple[IndexReport, ...]
    findings: tuple[Problem, ...]

    @property
    def bytes(self) -> int:
        """Of the shards, where known."""
        return _bytes_of(self.files)

    @property
    def tensors(self) -> int:
        return _tensors_of(self.files)

    @property
    def bytes_with_indexes(self) -> int:
        return self.bytes + sum(report.bytes for report in self.indexes)


@dataclass(frozen=True, slots=True)
class RuleGroup:
    """The findings of one rule; `files` counts those that they are in."""

    rule: str
    severity: Severity
    findings: tuple[Problem, ...]
    files: int


def check_integrity(
    shards: Iterable[ShardReport], indexes: Sequence[IndexReport], *, one_file: bool = False
) -> Integrity:
    """Judge a checkpoint by reports of its files, each looked at once.

    Args:
        shards: of every file that is there.
        indexes: of every index that is there.
        one_file: whether one file was asked for, whatever its name says of others.
    """
    parts = [_Part(report.index, _ambiguous(report)) for report in indexes if report.index]
    parts = parts or [_Part(None, frozenset())]
    rows, findings = [], [found for report in indexes for found in report.problems]
    for shard in shards:
        rows.append(FileRow(shard.shard, shard.size, shard.header_bytes, shard.tensors))
        findings += shard.problems
        for part in parts:
            part.add(shard)
    files = {row.file for row in rows}
    for part in parts:
        elsewhere = [other.shards for other in parts if other is not part]
        findings += part.problems(files.difference(*elsewhere))
    if not indexes and not one_file:
        findings += check_series(files)
    order = list(Severity)
    findings.sort(key=lambda found: order.index(found.severity))
    rows.sort(key=lambda row: row.file)
    return Integrity(tuple(rows), tuple(indexes), tuple(findings))


def check_document(found: Integrity, model: Model, cost: Cost) -> CheckDocument:
    """The document of an examination."""
    return CheckDocument(
        schema="s1inspect/check/1",
        model=model,
        cost=cost,
        findings=list(found.findings),
        readers=verdicts_on(finding.rule for finding in found.findings),
        files=list(found.files),
    )


def _bytes_of(files: Sequence[FileRow]) -> int:
    return sum(row.bytes or 0 for row in files)


def _tensors_of(files: Sequence[FileRow]) -> int:
    return sum(row.tensors or 0 for row in files)


def group_by_rule(findings: Sequence[Problem]) -> list[RuleGroup]:
    """The findings by rule, in the order in which rules first occur."""
    groups: dict[str, list[Problem]] = {}
    for found in findings:
        groups.setdefault(found.rule, []).append(found)
    return [
        RuleGroup(rule, ones[0].severity, tuple(ones), len({one.where.shard for one in ones}))
        for rule, ones in groups.items()
    ]


def count_by_severity(findings: Sequence[Problem]) -> dict[Severity, int]:
    """How many findings there are of each severity that occurs, worst first."""
    counts = Counter(found.severity for found in findings)
    return {severity: counts[severity] for severity in Severity if counts[severity]}


def files_with_findings(findings: Sequence[Problem]) -> list[str]:
    """The files that findings lie in, each once."""
    return list(dict.fromkeys(found.where.shard for found in findings if found.where.shard))


class _Part:
    """The shards that one index names, or all where there is none: what must agree."""

    def __init__(self, index: Index | None, ambiguous: frozenset[str]) -> None:
        self.shards = frozenset() if index is None else frozenset(index.weight_map.values())
        self._index = index
        self._ambiguous = ambiguous
        self._builder = CatalogBuilder()
        self._unsound: set[str] = set()

    def add(self, report: ShardReport) -> None:
        if self._index is not None and report.shard not in self.shards:
            return
        if any(found.severity is Severity.ERROR for found in report.problems):
            self._unsound.add(report.shard)
        if report.header is not None:
            self._builder.add(report.header)

    def problems(self, files: set[str]) -> list[Problem]:
        catalog = self._builder.build()
        found = check_across_shards(catalog)
        if self._index is not None and _WEIGHT_MAP not in self._ambiguous:
            found += check_index(catalog, self._index, files, unsound=self._unsound)
        return [one for one in found if one.where.tensor not in self._ambiguous]


_WEIGHT_MAP = "weight_map"


def _ambiguous(report: IndexReport) -> frozenset[str]:
    """What an index says twice: where that is, has been reported."""
    twice = (found.where.tensor for found in report.problems if found.rule == "duplicate_key")
    return frozenset(tensor for tensor in twice if tensor is not None)
