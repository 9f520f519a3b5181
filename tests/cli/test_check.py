"""`check` on every hostile checkpoint, on disk and over a hub, and how it ends."""

from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from inspector.errors import Severity
from inspector.format.rules import RULES
from tests.checkpoint.shards import series, weight_map, write_checkpoint
from tests.cli.running import SAMPLES, invoke
from tests.hostile.build import HOSTILE, SINGLE, write_hostile
from tests.hostile.extreme import EXTREME
from tests.hub import Hub
from tests.source.serving import GATED, REPO, Connect, asked

LARGE = {"header of 100,000,000 bytes", "header of 100,000,001 bytes"}
"""Read from disk only."""

CODES = {Severity.ERROR: 1, Severity.WARNING: 1, Severity.INFO: 0}


def checked(location: str, *options: str) -> tuple[int, dict[str, Any]]:
    """Exit code and JSON document."""
    result = invoke("check", "-m", location, "--json", *options)
    document: dict[str, Any] = msgspec.json.decode(result.stdout)  # 80 MB of the longest
    return result.exit_code, document


def rules_in(document: dict[str, Any]) -> list[str]:
    return [found["rule"] for found in document["findings"]]


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The hostile checkpoints as repositories of one organisation."""
    root = tmp_path_factory.mktemp("hostile")
    write_hostile(root / "rules")
    return root


@pytest.mark.parametrize("rule", sorted(HOSTILE))
def test_a_hostile_checkpoint_is_one_finding_on_disk_and_on_a_hub(
    rule: str, rules: Path, connect: Connect
) -> None:
    code, document = checked(str(rules / "rules" / rule))
    assert rules_in(document) == [rule]
    assert code == CODES[RULES[rule][0]]
    shards = {name for name in HOSTILE[rule] if name.endswith(".safetensors")}
    assert {row["file"] for row in document["files"]} == shards
    assert [row["rule"] for row in document["readers"]] == [rule]
    with Hub(rules) as hub:
        connect(hub)
        remote_code, remote = checked(f"rules/{rule}")
    assert remote_code == code
    assert remote["findings"] == document["findings"]
    assert remote["files"] == document["files"]


@pytest.mark.parametrize("what", EXTREME)
def test_an_extreme_checkpoint_has_the_findings_expected_on_disk_and_on_a_hub(
    what: str, tmp_path: Path, connect: Connect
) -> None:
    (tmp_path / REPO).mkdir(parents=True)
    EXTREME[what].write(tmp_path / REPO)
    code, document = checked(str(tmp_path / REPO))
    found = rules_in(document)
    assert Counter(found) == EXTREME[what].rules
    assert code == max((CODES[RULES[rule][0]] for rule in found), default=0)
    if what in LARGE:
        return
    with Hub(tmp_path) as hub:
        connect(hub)
        _, remote = checked(REPO)
        assert not any("etc" in one.path or "elsewhere" in one.path for one in asked(hub))
    assert remote["findings"] == document["findings"]
    assert remote["files"] == document["files"]


@pytest.mark.parametrize("sample", sorted(path.name for path in SAMPLES.iterdir() if path.is_dir()))
def test_the_samples_are_sound(sample: str) -> None:
    code, document = checked(str(SAMPLES / sample))
    assert (code, document["findings"], document["readers"]) == (0, [], [])
    sizes = {path.name: path.stat().st_size for path in (SAMPLES / sample).glob("*.safetensors")}
    assert {row["file"]: row["bytes"] for row in document["files"]} == sizes
    assert all(row["tensors"] > 0 and row["header_bytes"] > 0 for row in document["files"])


@pytest.mark.parametrize(
    ("rule", "fails"),
    [
        ("overlap", ["default", "error", "warning", "info"]),
        ("total_size_mismatch", ["default", "warning", "info"]),
        ("header_over_hub_limit", ["info"]),
    ],
    ids=["an error", "a warning", "an info"],
)
def test_the_exit_code_is_that_of_the_worst_finding_and_the_threshold(
    rule: str, fails: list[str], rules: Path, tmp_path: Path
) -> None:
    directory = rules / "rules" / rule
    if rule not in HOSTILE:
        directory = tmp_path
        EXTREME["header of 25,000,001 bytes"].write(directory)
    for choice in ("default", "error", "warning", "info", "never"):
        options = [] if choice == "default" else ["--fail-on", choice]
        assert checked(str(directory), *options)[0] == (choice in fails), choice


def test_a_file_that_a_hub_will_not_give_is_1_and_a_hub_that_gives_none_is_3(
    tmp_path: Path, connect: Connect
) -> None:
    first, second = series(2)
    write_checkpoint(tmp_path / REPO, series(2), index=weight_map(series(2)))
    with Hub(tmp_path, faults={second: "ignore_range"}) as hub:
        connect(hub)
        code, document = checked(REPO)
        assert (code, rules_in(document)) == (1, ["unreadable_file"])
        assert document["findings"][0]["where"]["shard"] == second
        assert [row["tensors"] for row in document["files"]] == [2, None]
    with Hub(tmp_path, faults={"*.safetensors": "ignore_range"}) as hub:
        connect(hub)
        result = invoke("check", "-m", REPO)
    assert (result.exit_code, result.stdout) == (3, "")
    assert first in result.stderr


def test_a_gated_repository_is_3_with_its_page(tmp_path: Path, connect: Connect) -> None:
    write_checkpoint(tmp_path / GATED, series(2))
    with Hub(tmp_path, token="hf_right") as hub:  # noqa: S106  opens the loopback hub only
        connect(hub)
        result = invoke("check", "-m", GATED)
        assert result.exit_code == 3
        assert f"{hub.endpoint}/{GATED}" in result.stderr


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (("-m", "./absent"), 3, "no such file or directory"),
        (("-m", "no-such-thing"), 2, "is not a checkpoint"),
        (("-m", str(SAMPLES / "s1-pro-mini"), "--json", "-f", "csv"), 2, "contradict"),
        (("-m", str(SAMPLES / "s1-pro-mini"), "--max-bytes", "1000"), 5, "--max-bytes 1,000"),
        (("-m", str(SAMPLES / "s1-pro-mini"), "--fail-on", "sometimes"), 2, "--fail-on"),
    ],
    ids=["absent", "nothing", "two formats", "budget", "threshold"],
)
def test_what_cannot_be_checked_has_the_exit_code_of_other_commands(
    options: tuple[str, ...], code: int, says: str
) -> None:
    result = invoke("check", *options)
    assert (result.exit_code, result.stdout) == (code, "")
    assert says in result.stderr


def test_an_empty_directory_is_no_checkpoint(tmp_path: Path) -> None:
    assert invoke("check", "-m", str(tmp_path)).exit_code == 3


def test_one_shard_of_a_series_is_checked_by_itself(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, series(3))
    first = next(iter(series(3)))
    assert checked(str(tmp_path / first))[1]["findings"] == []
    (tmp_path / SINGLE).write_bytes(b"")
    code, document = checked(str(tmp_path / SINGLE))
    assert (code, rules_in(document), len(document["files"])) == (1, ["truncated"], 1)
