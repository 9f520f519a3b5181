"""Arguments that commands share, each defined once. Imports nothing but typer."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

DEFAULT_MODEL: Final = "internlm/Intern-S1-Pro"
DEFAULT_JOBS: Final = 32
"""That of `checkpoint.policy`, which a test compares: importing it here would load numpy."""

MATCH_JOBS: Final = 64
"""Of a match, which is tens of thousands of small reads: the time is that of the round trips."""

ALIASES_HELP: Final = "s1-pro, s1, qwen3 or qwen3-vl"

_INPUT: Final = "Input"
_OUTPUT: Final = "Output"
_SELECTION: Final = "Selection"


class Format(StrEnum):
    """How a report is written."""

    AUTO = "auto"
    TABLE = "table"
    TSV = "tsv"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    MD = "md"
    HTML = "html"


class By(StrEnum):
    """What totals are grouped by."""

    DTYPE = "dtype"
    LAYER = "layer"
    MODULE = "module"
    SHARD = "shard"


class SortKey(StrEnum):
    """What rows are sorted by; numbers largest first."""

    NAME = "name"
    BYTES = "bytes"
    COUNT = "count"
    SHARD = "shard"


class FailOn(StrEnum):
    """From which severity on findings make a command fail."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"
    NEVER = "never"


class ExportDtype(StrEnum):
    """What decoded values are written as."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"


Model = Annotated[
    str,
    typer.Option(
        "--model", "-m", envvar="S1INSPECT_MODEL", metavar="CHECKPOINT", rich_help_panel=_INPUT,
        help="Directory, .safetensors or .index.json file, org/name[@rev], hf://, ms://, s3://, "
        f"gs://, az:// or http(s):// URL, or an alias: {ALIASES_HELP}.",
    ),
]  # fmt: skip
Reference = Annotated[
    str,
    typer.Option(
        "--ref", "-r", metavar="CHECKPOINT", rich_help_panel=_INPUT,
        help="The checkpoint to match against, named as --model is.",
    ),
]  # fmt: skip
References = Annotated[
    list[str],
    typer.Option(
        "--ref", "-r", metavar="CHECKPOINT", rich_help_panel=_INPUT,
        help="The checkpoint to match against, named as --model is. Several, as in -r a -r b, or a "
        "folder of checkpoints: parents then say which model they are of.",
    ),
]  # fmt: skip
Revision = Annotated[
    str | None,
    typer.Option(
        metavar="REV", rich_help_panel=_INPUT, help="Branch, tag or commit of --model on the hub."
    ),
]  # fmt: skip
Jobs = Annotated[
    int,
    typer.Option(min=1, max=256, rich_help_panel=_INPUT, help="Concurrent reads over a network."),
]
MaxBytes = Annotated[
    str | None,
    typer.Option(
        metavar="BYTES", rich_help_panel=_INPUT,
        help="Stop before reading more than this, for example 500MB.",
    ),
]  # fmt: skip
Offline = Annotated[
    bool,
    typer.Option(
        "--offline", rich_help_panel=_INPUT,
        help="Ask no server; answer from the cache. The same as HF_HUB_OFFLINE=1.",
    ),
]  # fmt: skip
NoCache = Annotated[
    bool,
    typer.Option(
        "--no-cache", rich_help_panel=_INPUT, help="Neither use the cache of headers nor fill it."
    ),
]  # fmt: skip
Plan = Annotated[
    bool,
    typer.Option(
        "--plan", rich_help_panel=_OUTPUT,
        help="Say which requests and bytes this would take, and stop.",
    ),
]  # fmt: skip
Layers = Annotated[
    str | None,
    typer.Option(
        metavar="NUMBERS", rich_help_panel=_SELECTION, help="Only these layers: 3, 0..7 or 1,5."
    ),
]  # fmt: skip
Experts = Annotated[
    str | None,
    typer.Option(
        metavar="NUMBERS", rich_help_panel=_SELECTION, help="Only these experts: 200 or 0..7."
    ),
]  # fmt: skip
Limit = Annotated[
    int | None,
    typer.Option(min=0, rich_help_panel=_OUTPUT, help="Show at most so many rows."),
]
FailOnOption = Annotated[
    FailOn,
    typer.Option(
        "--fail-on", rich_help_panel=_OUTPUT,
        help="Exit with 1 where a finding is as bad as this or worse.",
    ),
]  # fmt: skip
OutputFormat = Annotated[
    Format,
    typer.Option(
        "--format", "-f", rich_help_panel=_OUTPUT,
        help="Output format; auto is a table on a terminal and TSV elsewhere.",
    ),
]  # fmt: skip
Json = Annotated[
    bool, typer.Option("--json", rich_help_panel=_OUTPUT, help="The same as --format json.")
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", rich_help_panel=_OUTPUT, help="Print names only.")
]
OutputFile = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", metavar="FILE", dir_okay=False, rich_help_panel=_OUTPUT,
        help="Write the report to FILE; its suffix says the format.",
    ),
]  # fmt: skip
Out = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR", file_okay=False, rich_help_panel=_OUTPUT,
        help="Keep results in DIR: the same command goes on where it was stopped.",
    ),
]  # fmt: skip
Scheduler = Annotated[
    str | None,
    typer.Option(
        metavar="URL", rich_help_panel=_INPUT,
        help="Let the workers of a Dask scheduler read, for example tcp://10.0.0.1:8786.",
    ),
]  # fmt: skip
