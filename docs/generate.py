"""`python -m docs.generate [--check]`: the pages that are made from the code.

Writes `reference/cli.md`, `reference/rules.md`, `reference/schemas/` and `design/index.md`, and
renews the output below commands and statements in every page. `--check` writes nothing; it fails
where they are stale.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Final

from typer.main import get_command

from docs.console import ROOT, refreshed, run
from docs.contents import pages_in, title_of
from docs.python import refreshed_python
from docs.schema_pages import schema_index, schema_page
from inspector.analysis.compare.rules import COMPARE_RULES
from inspector.analysis.documents import DOCUMENTS
from inspector.analysis.quant.rules import AUDIT_ADVICE, AUDIT_RULES
from inspector.cli.app import app
from inspector.config.rules import CONFIG_RULES
from inspector.errors import Severity
from inspector.format.readers import VERDICTS
from inspector.format.rules import RULES
from inspector.render.document import schema_of

DOCS: Final = ROOT / "docs"
CLI_PAGE: Final = Path("reference/cli.md")

_GENERATED: Final = "<!-- Written by `python -m docs.generate`; do not edit. -->"
_OPTION: Final = re.compile(r"--[a-z][a-z-]+")


def main() -> None:
    """Write the generated pages, or say which are stale."""
    parser = argparse.ArgumentParser(prog="python -m docs.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail where stale")
    if parser.parse_args().check:
        stale = stale_pages()
        sys.stderr.writelines(f"stale: docs/{page}\n" for page in stale)
        sys.exit(1 if stale else 0)
    for page, text in generated_pages():
        _write(DOCS / page, text)
    for path in pages_with_examples():
        _write(path, refreshed_python(refreshed(path.read_text(encoding="utf-8"))))


def commands() -> list[str]:
    """The names of the commands, in the order of the help."""
    return list(getattr(get_command(app), "commands"))  # noqa: B009 - typer does not export the type


def pages_with_examples() -> list[Path]:
    """The pages that people write: README.md and all of docs/ but the reference."""
    pages = [path for path in sorted(DOCS.rglob("*.md")) if path.relative_to(DOCS) != CLI_PAGE]
    return [ROOT / "README.md", *pages]


def generated_pages() -> Iterator[tuple[Path, str]]:
    """Path below docs/ and text of every page that is made from the code."""
    yield CLI_PAGE, _cli_page()
    yield Path("reference/rules.md"), _rules_page()
    yield Path("reference/schemas/index.md"), schema_index(list(DOCUMENTS))
    for name, document in DOCUMENTS.items():
        schema = schema_of(document, name)
        yield Path(f"reference/schemas/{name}.json"), f"{json.dumps(schema, indent=2)}\n"
        yield Path(f"reference/schemas/{name}.md"), schema_page(name, schema)
    yield Path("design/index.md"), _design_page()


def stale_pages() -> list[Path]:
    """The generated pages whose file does not say what the code says."""
    return [page for page, text in generated_pages() if not _is_current(page, text)]


def _is_current(page: Path, text: str) -> bool:
    """Whether a file has this text. Help drawn by other versions is compared by its options."""
    path = DOCS / page
    if not path.is_file():
        return False
    found = path.read_text(encoding="utf-8")
    if page == CLI_PAGE and _drawn_by() not in found:
        return _OPTION.findall(found) == _OPTION.findall(text)
    return found == text


def _drawn_by() -> str:
    return f"Drawn by typer {version('typer')} and rich {version('rich')}."


def _cli_page() -> str:
    what = f"The help of every command, at 80 columns. {_drawn_by()}"
    parts = [f"# Command line\n\n{_GENERATED}\n\n{what}\n"]
    for name in ("", *commands()):
        title = f"s1inspect {name}".strip()
        lines = "\n".join(run(f"{title} --help", ROOT)).strip("\n")
        link = f"\nSee [{name}](../commands/{name}.md).\n" if name else ""
        parts.append(f"\n## {title}\n{link}\n```text\n{lines}\n```\n")
    return "".join(parts)


def _rules_page() -> str:
    lines = [
        "# Rules",
        "",
        _GENERATED,
        "",
        "What a checkpoint's headers and index are held to. The slugs are stable: JSON documents",
        "carry them in `findings[].rule`, messages in brackets. A header that breaks a rule of",
        "severity `error` ends a command with exit code 4; where headers, index and files",
        "disagree, the command answers and reports that as a finding. `check` reports all.",
        "",
        "| rule | severity | meaning |",
        "|---|---|---|",
        *_rule_rows(RULES),
        "",
        "## What other readers do",
        "",
        "With the smallest checkpoint that breaks the rule and no other. The tests run safetensors",
        "0.8.0 and huggingface_hub 2.4.0; huggingface.js 2.17.5 and hf-mem 0.5.6 were run once, in",
        "2026-11. Where a reader never looks at what a rule is about, there is no word.",
        "",
        "| rule | safetensors | huggingface_hub | huggingface.js | hf-mem |",
        "|---|---|---|---|---|",
        *(_verdict_row(slug) for slug in RULES),
        "",
        "## Rules of a config",
        "",
        "Any command that reads a config reports these and answers with what else the config says;",
        "what cannot be answered without is refused in a line that says so.",
        "",
        "| rule | severity | meaning |",
        "|---|---|---|",
        *_rule_rows(CONFIG_RULES),
        "",
        "## Rules of an audit",
        "",
        "What a quantized checkpoint is held to by [audit](../commands/audit.md). A cause is one",
        "finding: a scale that is missing or of a wrong shape is held to no rule about values, one",
        "that is not finite or zero to none about powers of two.",
        "",
        "| rule | severity | meaning | what to do |",
        "|---|---|---|---|",
        *(
            f"{row} {AUDIT_ADVICE[slug]} |"
            for slug, row in zip(AUDIT_RULES, _rule_rows(AUDIT_RULES), strict=True)
        ),
        "",
        "## Differences of two models",
        "",
        "What [compare](../commands/compare.md) finds; `expected` is the reference's, `found` the",
        "model's.",
        "",
        "| rule | severity | meaning |",
        "|---|---|---|",
        *_rule_rows(COMPARE_RULES),
    ]
    return "\n".join(lines) + "\n"


def _design_page() -> str:
    lines = [
        "# Decisions",
        "",
        _GENERATED,
        "",
        "What was decided, when, what was measured, and what was rejected for it.",
        "",
    ]
    pages = pages_in("design")
    lines += [f"* [{title_of(DOCS / f'design/{page}.md')}]({page}.md)" for page in pages]
    return "\n".join(lines) + "\n"


def _verdict_row(slug: str) -> str:
    one = VERDICTS[slug]
    words = (one.safetensors, one.huggingface_hub, one.huggingface_js, one.hf_mem)
    return f"| `{slug}` | {' | '.join(word or '' for word in words)} |"


def _rule_rows(rules: Mapping[str, tuple[Severity, str]]) -> Iterator[str]:
    for slug, (severity, meaning) in rules.items():
        yield f"| `{slug}` | {severity} | {meaning} |"


def _write(path: Path, text: str) -> None:
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    sys.stdout.write(f"wrote {path.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
