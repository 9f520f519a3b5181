"""All 94 layers, 512 experts each against 128, through a hub with 50 ms a request.

`python -m benchmarks.rehearsal [--layers N] [--models DIR]` is for a look: fewer layers, or models
that are kept in DIR for the next time.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.counting_hub import CountingHub, Counts, counting_hub
from benchmarks.rehearsal_truth import LAYERS, REFERENCE, Origin, origin, parent
from benchmarks.remote import PROGRAM, hub_environment
from benchmarks.replica import REPOSITORY
from benchmarks.table import megabytes, print_table, print_targets
from benchmarks.timing import ProcessRun, run_process

LATENCY_MS: Final = 50
CONNECTIONS: Final = 64
"""`--jobs` as a match has it by default."""

FEWER_CONNECTIONS: Final = 32

ROUNDS: Final = 1
DEFAULT: Final = "default"
FIRST_LOOK: Final = "8 rows"
FEWER: Final = f"8 rows, --jobs {FEWER_CONNECTIONS}"


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """One run of the command: the process, what it asked for, and its document."""

    run: ProcessRun
    counts: Counts
    document: Mapping[str, Any]
    connections: int

    @property
    def ideal(self) -> float:
        """Seconds in which so many requests wait for as many connections as there are."""
        return self.counts.requests * LATENCY_MS / 1000 / self.connections

    def met(self, wanted: Origin) -> "Counter[str]":
        """Verdicts of experts of one origin; of a parent that is not theirs, `wrong parent`."""
        found = Counter[str]()
        for one in self.document["experts"]:
            if origin(one["layer"], one["expert"]) is wanted:
                found[_met(one)] += 1
        return found

    @property
    def wrong(self) -> int:
        """Experts with a parent that is not theirs, strangers with any."""
        return sum(self.met(one)[_WRONG] for one in Origin)


_MOST_REQUESTS: Final = 66_000
"""Of signed looks at 8 rows of all layers."""

_MOST_SECONDS: Final = 150
_MOST_GB: Final = 3.5
"""Of a default run of all layers."""

_WRONG: Final = "wrong parent"


def _met(one: Mapping[str, Any]) -> str:
    parents = one["parents"]
    is_stranger = origin(one["layer"], one["expert"]) is Origin.STRANGER
    if parents and (is_stranger or parents[0]["expert"] != parent(one["expert"])):
        return _WRONG
    return str(one["verdict"])


def main(rounds: int = ROUNDS, *, layers: int = LAYERS, models: Path | None = None) -> None:
    """Match by default, match with bytes for 8 rows only, and watch a match by phase."""
    for _ in range(rounds):
        with (
            _models(layers, models) as root,
            counting_hub(root, latency_ms=LATENCY_MS) as hub,
            tempfile.TemporaryDirectory() as folder,
        ):
            scratch = Path(folder)
            bytes_for_8 = _bytes_for_first_look(hub, scratch)
            found = {
                DEFAULT: _rehearse(hub, scratch, [PROGRAM]),
                FIRST_LOOK: _rehearse(hub, scratch, [PROGRAM], max_bytes=bytes_for_8),
                FEWER: _rehearse(
                    hub, scratch, [PROGRAM], max_bytes=bytes_for_8, connections=FEWER_CONNECTIONS
                ),
            }
            stored = sum(one.stat().st_size for one in root.glob("*/*/*.safetensors"))
            phases = scratch / "phases.json"
            watched = [sys.executable, "-m", "benchmarks.phases", str(phases)]
            _rehearse(hub, scratch, watched)
            by_phase = json.loads(phases.read_text())
        _print_runs(found, layers)
        _print_verdicts(found[DEFAULT])
        _print_phases(by_phase)
        print_targets(_targets(found, layers, stored))


@contextmanager
def _models(layers: int, kept: Path | None) -> Iterator[Path]:
    """Both models, written by a process of its own, or as they were left."""
    with tempfile.TemporaryDirectory() as folder:
        root = kept or Path(folder)
        if not (root / REFERENCE).exists():
            command = [sys.executable, "-m", "benchmarks.rehearsal_models", str(root)]
            subprocess.run([*command, "--layers", str(layers)], check=True)
        yield root


def _arguments() -> list[str]:
    return ["expert-similarity", "-m", REPOSITORY, "--ref", REFERENCE]


def _bytes_for_first_look(hub: CountingHub, scratch: Path) -> int:
    """What is certain to be read before any expert is looked at again, by the command's plan."""
    out = scratch / "plan.json"
    command = [PROGRAM, *_arguments(), "--plan", "-o", str(out)]
    run_process(command, hub_environment(hub, str(scratch / "plan")))
    steps: list[dict[str, Any]] = json.loads(out.read_text())["reads"]
    certain = [one for one in steps if not one["is_bound"] and "trial" not in one["what"]]
    return sum(int(one["bytes"]) for one in certain)


def _rehearse(
    hub: CountingHub,
    scratch: Path,
    program: Sequence[str],
    *,
    max_bytes: int | None = None,
    connections: int = CONNECTIONS,
) -> Rehearsed:
    """Run the command with nothing cached."""
    out = scratch / "out.json"
    out.unlink(missing_ok=True)
    limit = [] if max_bytes is None else ["--max-bytes", str(max_bytes)]
    command = [*program, *_arguments(), "-o", str(out), "--jobs", str(connections), *limit]
    hub.counts()
    with tempfile.TemporaryDirectory() as home:
        run = run_process(command, hub_environment(hub, home))
    return Rehearsed(run, hub.counts(), json.loads(out.read_text()), connections)


def _print_runs(found: Mapping[str, Rehearsed], layers: int) -> None:
    rows = [
        (
            name, f"{one.counts.requests:,}", f"{one.counts.redirects:,}",
            megabytes(one.counts.bytes), f"{one.counts.holes:,}", f"{one.run.wall:.0f} s",
            f"{one.run.wall / one.ideal:.2f}", f"{one.run.processor:.0f} s",
            megabytes(one.run.peak_rss),
        )
        for name, one in found.items()
    ]  # fmt: skip
    columns = (
        "", "requests", "of them 302", "bytes", "of holes", "wall", "x waiting", "processor",
        "peak RSS",
    )  # fmt: skip
    title = (
        f"rehearsal: {layers} layers, 512 x 128 experts, {LATENCY_MS} ms a request, "
        f"{CONNECTIONS} connections where no other number is named"
    )
    print_table(title, columns, rows)


def _print_verdicts(found: Rehearsed) -> None:
    """What became of each kind of expert."""
    by_origin = {one: found.met(one) for one in Origin}
    verdicts = sorted({verdict for counts in by_origin.values() for verdict in counts})
    rows = [
        (str(one), f"{sum(counts.values()):,}", *(f"{counts[word]:,}" for word in verdicts))
        for one, counts in by_origin.items()
    ]
    print_table("rehearsal: verdicts by origin", ("", "experts", *verdicts), rows)


def _print_phases(phases: Mapping[str, Mapping[str, float]]) -> None:
    """Seconds of the main thread by phase, and of the processor."""
    rows = []
    for name, one in phases.items():
        wall = one["waiting"] + one["computing"]
        rows.append(
            (
                name, f"{wall:.1f} s", f"{one['waiting']:.1f} s", f"{one['both']:.1f} s",
                f"{one['computing'] - one['both']:.1f} s", f"{one['requests']:,.0f}",
                megabytes(one["bytes"]), f"{one['in_reads'] / max(wall, 1e-9):.1f}",
                f"{one['decoding']:.1f} s", f"{one['processor']:.1f} s",
                megabytes(one["peak_rss"]),
            )
        )  # fmt: skip
    columns = (
        "", "wall", "waiting", "both", "computing", "requests", "bytes", "at once", "decoding",
        "processor", "RSS so far",
    )  # fmt: skip
    print_table("rehearsal: by phase", columns, rows)


def _targets(
    found: Mapping[str, Rehearsed], layers: int, stored: int
) -> list[tuple[str, float, str]]:
    default, first = found[DEFAULT], found[FIRST_LOOK]
    share = layers / LAYERS
    asked = _MOST_REQUESTS * share
    return [
        (
            f"default: seconds, of {_MOST_SECONDS} for all layers",
            default.run.wall / (_MOST_SECONDS * share),
            "<= 1",
        ),
        (
            f"default: GB, of {_MOST_GB} for all layers",
            default.counts.bytes / (_MOST_GB * 1e9 * share),
            "<= 1",
        ),
        ("default: % of the bytes", 100 * default.counts.bytes / stored, "<= 0.3"),
        ("default: MB peak RSS", default.run.peak_rss / 1e6, "<= 1000"),
        ("default: reads of what was not filled", default.counts.holes, "<= 0"),
        ("default: experts with a wrong parent", default.wrong, "<= 0"),
        ("8 rows: requests, of 66,000 for all layers", first.counts.requests / asked, "<= 1"),
        *(
            (
                f"{name}: wall / waiting for connections",
                found[name].run.wall / found[name].ideal,
                "<= 1.5",
            )
            for name in (FIRST_LOOK, FEWER)
        ),
        ("8 rows: MB peak RSS", first.run.peak_rss / 1e6, "<= 1000"),
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rehearsal", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--layers", type=int, default=LAYERS)
    parser.add_argument("--models", type=Path, help="keep the models here for the next time")
    main(**vars(parser.parse_args()))
