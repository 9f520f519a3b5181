"""`report`: documents that were written before, as one page."""

from collections.abc import Sequence
from pathlib import Path

from inspector.cli.common import OutputOptions
from inspector.cli.options import Format
from inspector.cli.output import say, write_pieces, write_view
from inspector.render.joined import Part, joined_view, render_joined
from inspector.render.text import counted
from inspector.run.answers import read_answers


def run(outputs: OutputOptions, documents: Sequence[Path]) -> None:
    """Read documents, and show them together."""
    form = outputs.resolved()
    parts = [Part(str(one.file), one.text, one.document) for one in read_answers(documents)]
    if form is Format.HTML and not outputs.quiet:
        write_pieces(render_joined(parts), outputs)
        if outputs.file is not None:
            say(f"wrote {outputs.file}: {counted(len(parts), 'report')}")
    else:
        write_view(joined_view(parts), outputs, [])
