"""Reports that were joined into one page, as a document."""

import msgspec

from inspector.analysis.report import Model
from inspector.version import __version__


class JoinedReport(msgspec.Struct, frozen=True, kw_only=True):
    """One report: the file it was read from, what it is of, and its answer.

    `findings` counts them by severity; `tool_version` is that of the program that wrote it.
    """

    file: str
    command: str
    model: Model
    ref: Model | None
    answer: str
    findings: dict[str, int]
    tool_version: str


class ReportDocument(msgspec.Struct, frozen=True, kw_only=True):
    """`s1inspect report --json`. Of several, so without the fields that others share."""

    schema: str
    tool_version: str = __version__
    reports: list[JoinedReport]
