"""Every problem of files in memory, as `check` finds them."""

from inspector.checkpoint.examine import examine_files
from inspector.checkpoint.headers import report_shards
from inspector.checkpoint.policy import ReadPolicy
from inspector.errors import Problem, Severity
from inspector.source.base import MemorySource
from tests.hostile.build import Files


def problems_of(files: Files) -> list[Problem]:
    """What is wrong with a checkpoint."""
    return list(examine_files(MemorySource(files), None, ReadPolicy()).findings)


def problems_of_shard(content: bytes, *, shard: str) -> list[Problem]:
    """What is wrong with one file."""
    source = MemorySource({shard: content})
    (report,) = report_shards(source, {shard: len(content)}, ReadPolicy())
    return list(report.problems)


def errors_of_shard(content: bytes, *, shard: str) -> list[Problem]:
    """What the parser refuses one file for."""
    problems = problems_of_shard(content, shard=shard)
    return [found for found in problems if found.severity is Severity.ERROR]
