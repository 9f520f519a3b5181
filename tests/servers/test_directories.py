"""A checkpoint on a plain web server is read as the one on disk, and the cost line is right."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from tests.cli.running import SAMPLES, answer
from tests.servers.saying import document
from tests.servers.web import Manner, WebServer

pytestmark = pytest.mark.servers

EXPERT = "layers.0.mlp.experts.2"
LOCAL = str(SAMPLES / "s1-pro-mini")
FUSED = SAMPLES / "qwen3-vl-mini"


@pytest.mark.parametrize("manner", [Manner.PLAIN, Manner.NO_ETAGS, Manner.COMPRESSED])
def test_a_directory_has_the_tensors_of_the_one_on_disk(
    web: WebServer, sample: Path, manner: Manner
) -> None:
    found = document("list-tensors", location=web.at(sample, manner))
    local = document("list-tensors", location=LOCAL)
    assert (found["tensors"], found["totals"]) == (local["tensors"], local["totals"])
    assert found["model"]["location"] == web.at(sample, manner)
    assert (found["model"]["kind"], found["model"]["files"]) == ("http", 5)


def test_the_cost_is_what_the_server_wrote_down(web: WebServer, sample: Path) -> None:
    cost = document("list-tensors", location=web.at(sample))["cost"]
    asked = web.asked(sample, at_least=cost["requests"])
    assert cost["requests"] == len(asked)
    assert cost["bytes"] == sum(one.body_bytes for one in asked)
    read = [one.target for one in asked if one.method == "GET"]
    files = [path.name for path in sample.iterdir() if path.name != "config.json"]
    assert sorted(target.rpartition("/")[2] for target in read) == sorted(files)
    assert {(one.method, one.status) for one in asked} == {("HEAD", 200), ("GET", 206)}
    assert len(asked) <= 2 * len(files)


def test_an_expert_has_the_numbers_of_the_one_on_disk(
    web: WebServer, sample: Path, tmp_path: Path
) -> None:
    found = document("dequant", EXPERT, location=web.at(sample))
    assert found["tensors"] == document("dequant", EXPERT, location=LOCAL)["tensors"]
    asked = web.asked(sample, at_least=found["cost"]["requests"])
    assert found["cost"]["requests"] == len(asked)
    assert found["cost"]["bytes"] == sum(one.body_bytes for one in asked)
    for name, location in {"remote": web.at(sample), "local": LOCAL}.items():
        answer("dequant", EXPERT, "-m", location, "-o", f"{tmp_path}/{name}.safetensors", "-q")
    remote, local = (load_file(tmp_path / f"{name}.safetensors") for name in ("remote", "local"))
    assert len(local) == 3
    assert remote.keys() == local.keys()
    assert all(np.array_equal(remote[name], local[name]) for name in local)


@pytest.mark.parametrize("form", ["directory", "file", "index"])
def test_a_directory_a_file_and_an_index_are_the_same_checkpoint(
    web: WebServer, place: Path, form: str
) -> None:
    source, last = {
        "directory": (FUSED, ""),
        "file": (FUSED, "/model.safetensors"),
        "index": (SAMPLES / "s1-pro-mini", "/model.safetensors.index.json"),
    }[form]
    shutil.copytree(source, place, dirs_exist_ok=True)
    found = document("list-tensors", location=web.at(place) + last)
    assert found["tensors"] == document("list-tensors", location=str(source))["tensors"]


def test_a_slash_at_the_end_changes_nothing(web: WebServer, sample: Path) -> None:
    found = document("list-tensors", location=web.at(sample) + "/")
    assert found["tensors"] == document("list-tensors", location=web.at(sample))["tensors"]
    assert not any("//" in one.target for one in web.asked(sample))


def test_a_second_run_asks_for_no_body(web: WebServer, sample: Path) -> None:
    first = answer("list-tensors", "-m", web.at(sample), "-q")
    before = len(web.asked(sample, at_least=6))
    assert answer("list-tensors", "-m", web.at(sample), "-q") == first
    again = web.asked(sample, at_least=before + 6)[before:]
    assert {one.method for one in again} == {"HEAD"}
