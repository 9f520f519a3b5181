"""What only a process of its own can show: signals, pipes, encodings, imports."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from inspector.version import __version__
from tests.checkpoint.shards import series, weight_map, write_checkpoint
from tests.cli.running import QWEN3, ROOT, S1, environment, run, start
from tests.hub import Hub
from tests.source.serving import REPO

FIRST, *_ = series(4)


@pytest.mark.parametrize(
    ("stalled", "location"),
    [
        ("/api/models/*", REPO),
        (FIRST, REPO),
        ("model-00003-*", REPO),
        (FIRST, "plain"),
    ],
    ids=["api", "first header", "another header", "size of a file"],
)
def test_ctrl_c_ends_a_stalled_read_at_once(tmp_path: Path, stalled: str, location: str) -> None:
    """A read on the main thread did not hear Ctrl-C before its time was out."""
    shards = series(4)
    write_checkpoint(tmp_path / REPO, shards, index=weight_map(shards))
    with Hub(tmp_path, faults={stalled: "stall"}) as hub:
        model = f"{hub.cdn}/plain/{REPO}" if location == "plain" else location
        env = {"HF_ENDPOINT": hub.endpoint}
        with start("list-tensors", "-m", model, home=tmp_path, env=env) as process:
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline and all(one.status for one in hub.log):
                time.sleep(0.02)
            time.sleep(0.1)
            interrupted = time.monotonic()
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=20)
            assert time.monotonic() - interrupted < 3
    assert (process.returncode, out, err) == (130, "", "s1inspect: interrupted\n")


def test_ctrl_c_ends_32_threads_that_read_from_a_stalled_server(tmp_path: Path) -> None:
    shards = series(80)
    write_checkpoint(tmp_path / REPO, shards)
    with Hub(tmp_path, faults={"model-000[2-8]*": "stall"}) as hub:
        env = {"HF_ENDPOINT": hub.endpoint}
        with start("list-tensors", "-m", REPO, home=tmp_path, env=env) as process:
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline and sum(not one.status for one in hub.log) < 32:
                time.sleep(0.02)
            assert sum(not one.status for one in hub.log) == 32
            interrupted = time.monotonic()
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=20)
            assert time.monotonic() - interrupted < 3
    assert (process.returncode, out, err) == (130, "", "s1inspect: interrupted\n")


def full_disk(command: str, home: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run where no file can grow past 1,024 bytes."""
    limited = f"ulimit -f 1; exec {sys.executable} -m inspector {command}"
    return subprocess.run(  # noqa: S603  our own program
        ["bash", "-c", limited],  # noqa: S607
        cwd=ROOT, env=environment(home, PYTHONDONTWRITEBYTECODE="1", **env),
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    "command",
    [
        f"list-tensors -m {S1} -o",
        f"dequant layers.0.mlp.experts.2 -m {S1} -o",
    ],
    ids=["report", "export"],
)
def test_an_output_that_does_not_fit_is_5_and_leaves_nothing(tmp_path: Path, command: str) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    done = full_disk(f"{command} {folder}/x.safetensors", tmp_path)
    assert done.returncode == 5, done.stderr
    assert done.stderr.startswith(f"s1inspect: {folder}/x.safetensors: cannot be written: ")
    assert len(done.stderr.splitlines()) == 1
    assert list(folder.iterdir()) == []


def test_a_cache_that_does_not_fit_is_one_warning_and_the_answer_comes(tmp_path: Path) -> None:
    shards = series(40)
    write_checkpoint(tmp_path / REPO, shards)
    with Hub(tmp_path) as hub:
        done = full_disk(f"list-tensors -q -m {REPO}", tmp_path, HF_ENDPOINT=hub.endpoint)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 80
    warnings = [line for line in done.stderr.splitlines() if "cannot be written" in line]
    assert len(warnings) == 1
    kept = [path for path in tmp_path.glob(".cache/**/*") if path.is_file()]
    assert all(path.stat().st_size < 1024 and not path.name.startswith(".") for path in kept)


@pytest.mark.parametrize("options", ["", "-f table --flat", "--json", "-q"])
def test_a_closed_pipe_is_quiet(tmp_path: Path, options: str) -> None:
    command = f"{sys.executable} -m inspector list-tensors -m {S1} {options} | head -1"
    done = subprocess.run(  # noqa: S603  our own program
        ["bash", "-o", "pipefail", "-c", command],  # noqa: S607
        env=environment(tmp_path), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode in (0, 141), done.stderr
    assert len(done.stdout.splitlines()) == 1
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr


@pytest.mark.parametrize("form", ["table", "tsv", "json", "md"])
def test_a_narrow_encoding_escapes_what_it_lacks(tmp_path: Path, form: str) -> None:
    write_checkpoint(tmp_path, {"model.safetensors": ["é.weight", "権.weight"]})
    env = {"PYTHONIOENCODING": "ascii"}
    arguments = ("list-tensors", "-m", str(tmp_path), "-f", form)
    done = run(*arguments, home=tmp_path, env=env)
    assert done.returncode == 0, done.stderr
    assert done.stdout.isascii()
    assert "\\u00e9" in done.stdout
    if form == "json":
        assert {row["name"] for row in json.loads(done.stdout)["tensors"]} == {
            "é.weight", "権.weight"
        }  # fmt: skip


def test_an_error_in_a_narrow_encoding_is_still_one_line(tmp_path: Path) -> None:
    env = {"PYTHONIOENCODING": "ascii"}
    done = run("list-tensors", "-m", "./é", home=tmp_path, env=env)
    assert done.returncode == 3
    assert done.stderr.startswith("s1inspect: ./\\xe9")


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"FORCE_COLOR": "1", "NO_COLOR": "1"}, {}])
def test_no_colour_is_asked_of_a_file(tmp_path: Path, env: dict[str, str]) -> None:
    done = run("list-tensors", "-m", S1, "-f", "table", home=tmp_path, env=env)
    assert done.returncode == 0
    assert "\x1b[3" not in done.stdout + done.stderr


def test_columns_set_the_width_of_a_table(tmp_path: Path) -> None:
    for width in (80, 140):
        env = {"COLUMNS": str(width)}
        done = run("list-tensors", "-m", S1, "-f", "table", home=tmp_path, env=env)
        longest = max(len(line) for line in done.stdout.splitlines())
        assert longest <= width


def test_the_model_comes_from_the_environment(tmp_path: Path) -> None:
    done = run("list-tensors", "-q", home=tmp_path, env={"S1INSPECT_MODEL": S1})
    assert len(done.stdout.splitlines()) > 400


def test_the_module_runs_and_says_its_version(tmp_path: Path) -> None:
    for option in ("--version", "-V"):
        done = run(option, home=tmp_path)
        assert (done.returncode, done.stdout) == (0, f"s1inspect {__version__}\n")


HEAVY = {"numpy", "huggingface_hub", "obstore", "scipy", "ml_dtypes", "numkong", "httpx2", "torch"}


def loaded_after(*commands: Sequence[str], home: Path) -> list[set[str]]:
    """The modules that a process has loaded after each command."""
    code = (
        "import sys, json\n"
        "from inspector.cli.app import app\n"
        f"for arguments in {commands}:\n"
        "    try:\n"
        "        arguments and app(arguments)\n"
        "    except SystemExit: pass\n"
        "    print('loaded', json.dumps(sorted(sys.modules)))\n"
    )
    done = subprocess.run(  # noqa: S603  our own program
        [sys.executable, "-c", code],
        cwd=ROOT, env=environment(home), capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    said = [line.partition(" ") for line in done.stdout.splitlines()]
    return [set(json.loads(names)) for word, _, names in said if word == "loaded"]


def test_help_loads_nothing_heavy(tmp_path: Path) -> None:
    said: list[list[str]] = [[], ["--help"], ["dequant", "--help"], ["--version"]]
    for loaded in loaded_after(*said, home=tmp_path):
        assert "typer" in loaded
        assert not loaded & HEAVY


def test_a_local_listing_needs_no_network_library(tmp_path: Path) -> None:
    (loaded,) = loaded_after(["list-tensors", "-q", "-m", S1], home=tmp_path)
    assert "numpy" in loaded
    assert not loaded & {"huggingface_hub", "obstore", "scipy", "httpx2", "torch"}


def test_commands_load_no_more_of_scipy_than_they_use(tmp_path: Path) -> None:
    """`scipy.stats` took half of the 0.8 s of an audit of a sample."""
    of_values, *others = loaded_after(
        ["dequant", "lm_head", "-q", "-m", S1],
        ["audit", "-q", "-m", S1],
        ["expert-similarity", "-q", "-m", S1, "--ref", QWEN3],
        home=tmp_path,
    )
    assert "numpy" in of_values
    assert "scipy" not in of_values
    for loaded in others:
        assert "scipy.special" in loaded
        assert not loaded & {"scipy.stats", "scipy.optimize"}
