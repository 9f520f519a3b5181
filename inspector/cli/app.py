"""The application: every command of `commands/`, and what holds for all of them."""

from typing import Annotated

import typer

from inspector.cli.commands import (
    audit,
    cache,
    check,
    compare,
    dequant,
    expert_similarity,
    list_tensors,
    params,
    report,
    runs,
)
from inspector.cli.guard import guarded
from inspector.version import __version__

app = typer.Typer(
    name="s1inspect",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Look into open-weight checkpoints by byte range: list, decode and compare tensors "
    "without the download.",
    epilog="Exit codes: 0 answered, 1 findings, 2 usage, 3 source, 4 malformed file, 5 other, "
    "130 interrupted.",
)


def _examples(*commands: str) -> str:
    return "\n\n".join(("**Examples**", *(f"`{command}`" for command in commands)))


def _show_version(*, value: bool) -> None:
    if value:
        typer.echo(f"s1inspect {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", "-V", is_eager=True, help="Show the version.",
            callback=lambda value: _show_version(value=value),
        ),
    ] = False,
) -> None:  # fmt: skip
    del version


for _command, _commands_examples in (
    (list_tensors.list_tensors, list_tensors.EXAMPLES),
    (dequant.dequant, dequant.EXAMPLES),
    (check.check, check.EXAMPLES),
    (audit.audit, audit.EXAMPLES),
    (params.params, params.EXAMPLES),
    (compare.compare, compare.EXAMPLES),
    (expert_similarity.expert_similarity, expert_similarity.EXAMPLES),
    (report.report, report.EXAMPLES),
    (runs.runs, runs.EXAMPLES),
    (cache.cache, cache.EXAMPLES),
):
    app.command(epilog=_examples(*_commands_examples))(guarded(_command))
