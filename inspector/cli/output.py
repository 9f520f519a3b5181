"""Where a view goes: stdout or a file that appears whole or not at all; the rest on stderr."""

import codecs
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Final

from inspector.analysis.report import Cost
from inspector.cli.options import Format
from inspector.errors import Problem, Severity, UsageError
from inspector.render.page import render_page
from inspector.render.tables import render_csv, render_jsonl, render_markdown, render_tsv
from inspector.render.text import counted, decimal_bytes, escape
from inspector.render.view import View
from inspector.source.replacing import atomic_file

_SHOWN_FINDINGS: Final = 5
_FILE_WIDTH: Final = 120
_NAMES_AT_A_TIME: Final = 4096
_AS_IN_JSON: Final = "s1inspect.escaped"
_BY_SUFFIX: Final = {
    ".json": Format.JSON,
    ".jsonl": Format.JSONL,
    ".csv": Format.CSV,
    ".tsv": Format.TSV,
    ".md": Format.MD,
    ".html": Format.HTML,
    ".htm": Format.HTML,
    ".txt": Format.TABLE,
}


@dataclass(frozen=True, slots=True)
class OutputOptions:
    """What a person asked of the output. `file` None is stdout."""

    format: Format
    json: bool
    quiet: bool
    file: Path | None

    def resolved(self) -> Format:
        """The format, where it was left to circumstances."""
        if self.json and self.format not in (Format.AUTO, Format.JSON):
            raise UsageError(f"--json and --format {self.format} contradict each other")
        if self.json:
            return Format.JSON
        if self.format is not Format.AUTO:
            return self.format
        if self.file is not None:
            return _BY_SUFFIX.get(self.file.suffix.lower(), Format.TSV)
        return Format.TABLE if sys.stdout.isatty() else Format.TSV


def write_view(view: View, options: OutputOptions, findings: Sequence[Problem]) -> None:
    """Write a report, then what was found wrong on the way."""
    write_pieces(_pieces(view, options), options)
    say_findings(findings)


def write_pieces(pieces: Iterable[str], options: OutputOptions) -> None:
    """Write text to stdout, or to the file that was named."""
    if options.file is None:
        write_text(sys.stdout, pieces)
        return
    with atomic_file(options.file) as file:
        for piece in pieces:
            file.write(piece.encode())


def write_text(stream: IO[str], pieces: Iterable[str]) -> None:
    """Write to a stream whose encoding may lack letters: those are escaped, never an error."""
    codecs.register_error(_AS_IN_JSON, _escaped_as_in_json)
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors=_AS_IN_JSON)
    for piece in pieces:
        stream.write(piece)
    stream.flush()


def _escaped_as_in_json(error: UnicodeError) -> tuple[str, int]:
    r"""A letter as `\u00e9`, never `\xe9`: a document that is written so stays JSON."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end


def say(line: str) -> None:
    """One line on stderr, at once, its foreign text made safe."""
    print(escape(line), file=sys.stderr, flush=True)


def say_findings(findings: Sequence[Problem]) -> None:
    """The worst findings, and how many more there are."""
    order = list(Severity)
    for found in sorted(findings, key=lambda one: order.index(one.severity))[:_SHOWN_FINDINGS]:
        say(f"{found.severity}: {found} [{found.rule}]")
    more = len(findings) - _SHOWN_FINDINGS
    if more > 0:
        say(f"... and {more:,} more findings (all are in --json)")


def say_cost(cost: Cost, stored_bytes: int, commit: str | None, *, remote: bool) -> None:
    """What the answer took: `184 requests, 40.9 MB read (0.0044 % of 919 GB), 1.9 s`."""
    reads = counted(cost.requests, "request" if remote else "read")
    share = (
        f" ({_percent(cost.bytes / stored_bytes)} of {decimal_bytes(stored_bytes)})"
        if stored_bytes
        else ""
    )
    at = f", commit {commit[:8]}" if commit else ""
    say(f"{reads}, {decimal_bytes(cost.bytes)} read{share}, {cost.seconds:.1f} s{at}")


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:.0f} %"


def _pieces(view: View, options: OutputOptions) -> Iterator[str]:
    if options.quiet:
        return _lines(view.names())
    match options.resolved():
        case Format.JSON:
            return view.document()
        case Format.JSONL:
            return render_jsonl(view.rows())
        case Format.CSV:
            return render_csv(view.rows())
        case Format.TSV:
            return render_tsv(view.rows())
        case Format.MD:
            return _markdown(view)
        case Format.HTML:
            return render_page("s1inspect", view)
        case _:
            return _terminal(view, to_file=options.file is not None)


def _lines(names: Iterable[str]) -> Iterator[str]:
    """A name a line, escaped; many at a time, for most need no escape."""
    remaining = iter(names)
    while chunk := list(islice(remaining, _NAMES_AT_A_TIME)):
        letters = "".join(chunk)
        plain = letters.isascii() and letters.isprintable()
        yield "\n".join(chunk if plain else map(escape, chunk)) + "\n"


def _markdown(view: View) -> Iterator[str]:
    yield f"{escape(view.headline)}\n\n"
    for table in view.tables():
        yield from render_markdown(table)
        yield "\n"
    for line in view.footer:
        yield f"{escape(line)}\n"
    if view.command is not None:
        yield f"\n    {escape(view.command)}\n"


def _terminal(view: View, *, to_file: bool) -> Iterator[str]:
    from rich.console import Console

    from inspector.render.terminal import plain_text, render_view

    if to_file:
        return plain_text(view, width=_FILE_WIDTH)
    return render_view(view, Console(highlight=False))
