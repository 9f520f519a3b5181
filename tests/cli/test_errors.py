"""How a command ends that cannot answer: the exit code, one line, a hint, no traceback."""

from pathlib import Path

import pytest

from inspector.cli.guard import exit_code
from inspector.errors import (
    BudgetExceeded,
    ConfigError,
    DecodeError,
    FormatError,
    InspectorError,
    LayoutError,
    NameNotFound,
    ObjectNotFound,
    Place,
    SourceError,
    UsageError,
)
from inspector.format.rules import problem
from tests.checkpoint.shards import series, write_checkpoint
from tests.cli.running import QWEN3, S1, invoke, run
from tests.hub import Hub
from tests.source.serving import GATED, REPO, Connect

EXPERT = "layers.0.mlp.experts.2"
MALFORMED = problem("overlap", Place(shard="a"), "tensors overlap", expected="none", found="one")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("x"), 2),
        (NameNotFound("x"), 2),
        (SourceError("x"), 3),
        (ObjectNotFound("x"), 3),
        (BudgetExceeded("x"), 5),
        (FormatError([MALFORMED]), 4),
        (ConfigError("x"), 5),
        (LayoutError("x"), 5),
        (DecodeError("x"), 5),
        (InspectorError("x"), 5),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_an_error_has_its_exit_code(error: InspectorError, code: int) -> None:
    assert exit_code(error) == code


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("list-tensors", "-m", ""), 2, "no checkpoint given"),
        (("list-tensors", "-m", "no-such-thing"), 2, "is not a checkpoint"),
        (("list-tensors", "-m", "./absent"), 3, "no such file or directory"),
        (("list-tensors", "-m", "s3://"), 2, "no bucket named"),
        (("list-tensors", "absent.name", "-m", S1), 2, "absent.name"),
        (("list-tensors", "re:(", "-m", S1), 2, "re:("),
        (("list-tensors", "-m", S1, "--layers", "x"), 2, "--layers"),
        (("list-tensors", "-m", S1, "--max-bytes", "lots"), 2, "--max-bytes 'lots'"),
        (("list-tensors", "-m", S1, "--max-bytes", "1000"), 5, "--max-bytes 1,000"),
        (("list-tensors", "-m", S1, "--json", "-f", "csv"), 2, "contradict"),
        (("list-tensors", "-m", S1, "-o", "/no/such/folder/x.json"), 2, "cannot be written"),
        (("dequant", "absent.name", "-m", S1), 2, "absent.name"),
        (("dequant", EXPERT, "-m", S1, "-o", "x.pt"), 2, ".safetensors"),
        (("dequant", EXPERT, "-m", S1, "-o", "x.npy"), 2, "holds one weight"),
        (("dequant", EXPERT, "-m", S1, "-o", "x.npz", "--dtype", "bfloat16"), 2, "no bfloat16"),
        (("dequant", EXPERT, "-m", S1, "--columns", "5:5"), 2, "--columns 5:5"),
        (("dequant", "model.language_model.norm", "-m", S1, "--columns", "0:5"), 2, "no matrix"),
        (("dequant", EXPERT, "-m", S1, "-o", "/no/such/x.safetensors"), 2, "cannot be written"),
        (("dequant", EXPERT, "-m", S1, "--rows", "x"), 2, "not A:B"),
        (("dequant", EXPERT, "-m", S1, "--rows", "5:5"), 2, "--rows 5:5"),
        (("dequant", EXPERT, "-m", S1, "--rows", "0:100000"), 2, "has rows 0:"),
        (
            ("dequant", f"{EXPERT}.up_proj.weight_scale_inv", "-m", S1),
            2,
            "is a scale",
        ),
        (("expert-similarity", "-m", S1, "--ref", ""), 2, "--ref"),
        (("expert-similarity", "-m", S1, "--ref", "./absent"), 3, "no such file"),
    ],
    ids=lambda value: " ".join(value)[:60].replace("/", "|") if isinstance(value, tuple) else "",
)
def test_a_refusal_is_one_line_and_perhaps_a_hint(
    arguments: tuple[str, ...], code: int, says: str
) -> None:
    result = invoke(*arguments)
    lines = result.stderr.splitlines()
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    assert lines[0].startswith("s1inspect: ")
    assert says in lines[0]
    assert len(lines) <= 2
    assert all(line.startswith("hint: ") for line in lines[1:])


@pytest.mark.parametrize(
    "arguments",
    [
        ("list-tensors", "--no-such-option"),
        ("list-tensors", "-m", S1, "--sort", "colour"),
        ("list-tensors", "-m", S1, "--limit", "-1"),
        ("list-tensors", "-m", S1, "--jobs", "0"),
        ("dequant", "-m", S1),
        ("expert-similarity", "-m", S1),
        ("no-such-command",),
    ],
    ids=" ".join,
)
def test_an_option_that_does_not_exist_is_a_usage_error(arguments: tuple[str, ...]) -> None:
    result = invoke(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")


@pytest.mark.parametrize("command", ["list-tensors", "dequant"])
@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("layers.0.mlp.experts.2.up_prj", "up_proj"),
        ("model.language_model.layers.0.self_atn.q_proj", "self_attn.q_proj"),
    ],
)
def test_a_missing_name_lists_the_nearest(command: str, wrong: str, right: str) -> None:
    result = invoke(command, wrong, "-m", S1)
    assert result.exit_code == 2
    assert wrong in result.stderr
    assert right in result.stderr


def test_a_malformed_file_is_4_and_names_shard_and_rule(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, series(2))
    (tmp_path / "model-00002-of-00002.safetensors").write_bytes(b"\xff" * 64)
    result = invoke("list-tensors", "-m", str(tmp_path))
    assert result.exit_code == 4
    assert len(result.stderr.splitlines()) == 1
    assert "model-00002-of-00002.safetensors" in result.stderr
    assert "[header_too_large]" in result.stderr or "[header_length_past_end]" in result.stderr


def test_a_config_that_is_no_configuration_is_5(tmp_path: Path) -> None:
    for path in Path(S1).iterdir():
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / "config.json").unlink()
    (tmp_path / "config.json").write_text("[1, 2")
    result = invoke("dequant", EXPERT, "-m", str(tmp_path))
    assert result.exit_code == 5
    assert "config.json" in result.stderr


def test_a_checkpoint_without_experts_is_5(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, series(2))
    result = invoke("expert-similarity", "-m", str(tmp_path), "--ref", QWEN3)
    assert result.exit_code == 5
    assert "no experts of a known naming" in result.stderr


def test_a_gated_repository_is_3_with_its_page(tmp_path: Path, connect: Connect) -> None:
    write_checkpoint(tmp_path / GATED, series(2))
    with Hub(tmp_path, token="hf_right") as hub:  # noqa: S106  opens the loopback hub only
        connect(hub)
        result = invoke("list-tensors", "-m", GATED)
        assert result.exit_code == 3
        assert f"{hub.endpoint}/{GATED}" in result.stderr
    assert "no token was sent" in result.stderr


def test_findings_are_warned_of_on_stderr_and_in_the_document(tmp_path: Path) -> None:
    shards = series(2)
    write_checkpoint(tmp_path, shards, index={"t1.a": next(iter(shards)), "t9": "absent.bin"})
    result = invoke("list-tensors", "-m", str(tmp_path), "--json")
    assert result.exit_code == 0
    assert "[missing_shard]" in result.stderr
    assert '"rule":"missing_shard"' in result.stdout


def test_debugging_keeps_the_traceback(tmp_path: Path) -> None:
    done = run("list-tensors", "-m", "./absent", home=tmp_path, env={"HF_DEBUG": "1"})
    assert done.returncode != 0
    assert "Traceback" in done.stderr
    assert "ObjectNotFound" in done.stderr


def test_a_hub_that_is_down_is_3_and_offers_the_samples(tmp_path: Path) -> None:
    env = {"HF_ENDPOINT": "http://127.0.0.1:9"}
    done = run("list-tensors", "-m", REPO, home=tmp_path, env=env)
    assert done.returncode == 3
    assert done.stdout == ""
    first, hint = done.stderr.splitlines()
    assert first.startswith(f"s1inspect: {REPO}: cannot reach http://127.0.0.1:9")
    assert "sample_shards" in hint


def test_offline_is_3_without_a_request(tmp_path: Path) -> None:
    done = run("list-tensors", "-m", REPO, home=tmp_path, env={"HF_HUB_OFFLINE": "1"})
    assert (done.returncode, done.stdout) == (3, "")
    assert "HF_HUB_OFFLINE" in done.stderr
