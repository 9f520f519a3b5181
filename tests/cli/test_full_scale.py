"""The published model at full scale, through a hub, with no option given.

290,292 tensors in 184 shards; the files are sparse.
"""

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import pytest
from safetensors.numpy import load_file

from tests.cli.oracle import decoded
from tests.cli.running import PROGRAM, environment
from tests.hub import COMMIT, Hub, Request
from tests.replica import ReplicaSummary, write_replica
from tests.source.serving import asked

REPO = "internlm/Intern-S1-Pro"
PREFIX = "model.language_model.layers.3.mlp.experts.200."
PINNED = f"{REPO}@{COMMIT}"
MAX_RSS_BYTES = 250_000_000
MAX_AUDIT_RSS_BYTES = 320_000_000
"""Modules are columns besides the catalog: some 40 MB more than a listing."""


@dataclass(frozen=True, slots=True)
class Done:
    """A command that ended: what it said, what it asked the hub, and the memory it took."""

    out: str
    err: str
    log: list[Request]
    peak_bytes: int


@dataclass(frozen=True, slots=True)
class Scene:
    """A hub with the replica, and a folder to run in that holds nothing."""

    hub: Hub
    replica: Path
    summary: ReplicaSummary
    home: Path

    def run(self, command: str) -> Done:
        self.hub.log.clear()
        done = subprocess.run(  # noqa: S603  our own program
            [
                sys.executable, str(Path(__file__).with_name("measure.py")),
                *PROGRAM, *command.split()[1:],
            ],
            cwd=self.home, env=environment(self.home, HF_ENDPOINT=self.hub.endpoint),
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        err, _, peak = done.stderr.rpartition("peak ")
        return Done(done.stdout, err, asked(self.hub), int(peak))


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    root, home = tmp_path_factory.mktemp("hub"), tmp_path_factory.mktemp("home")
    summary = write_replica(root / REPO, fill=[(3, 200)])
    with Hub(root) as hub:
        yield Scene(hub, root / REPO, summary, home)


@pytest.fixture(scope="module")
def listing(scene: Scene) -> Done:
    return scene.run("s1inspect list-tensors")


@pytest.fixture(scope="module")
def expert(scene: Scene) -> Done:
    return scene.run(
        "s1inspect dequant layers.3.mlp.experts.200 -o e.safetensors --no-cache --json"
    )


def test_every_tensor_is_listed(listing: Done) -> None:
    header, *rows = listing.out.splitlines()
    assert header.startswith("name\tdtype\tshape")
    assert len(rows) == len({row.partition("\t")[0] for row in rows}) == 290_292


def test_a_listing_costs_one_range_get_a_shard_and_three_more_requests(
    scene: Scene, listing: Done
) -> None:
    shards = scene.summary.shards
    assert shards == 184
    statuses = Counter((one.origin, one.method, one.status) for one in listing.log)
    assert statuses == {
        ("hub", "GET", 200): 2, ("hub", "GET", 404): 1,
        ("hub", "GET", 302): shards, ("cdn", "GET", 206): shards,
    }  # fmt: skip
    info, tree = (one.path for one in listing.log if one.status == 200)
    assert info == f"/api/models/{REPO}/revision/main"
    assert tree.startswith(f"/api/models/{REPO}/tree/{COMMIT}")
    read = sum(one.body_bytes for one in listing.log if one.status == 206)
    assert read <= 1.1 * scene.summary.header_bytes


def test_a_hub_that_gives_all_headers_at_once_is_asked_three_times(
    scene: Scene, listing: Done
) -> None:
    """42 MB of JSON, a tenth of that on the wire."""
    with Hub(scene.replica.parents[1], metadata_endpoint=True) as hub:
        done = Scene(hub, scene.replica, scene.summary, scene.home).run(
            "s1inspect list-tensors --no-cache"
        )
    assert [one.status for one in done.log] == [200, 200, 200]
    assert sum(one.body_bytes for one in done.log) < 0.2 * scene.summary.header_bytes
    assert done.out == listing.out


def test_the_cost_line_says_so(listing: Done) -> None:
    line = re.fullmatch(
        r"187 requests, (4\d\.?\d*) MB read \(0\.00\d+ % of 919 GB\), [\d.]+ s, commit 01234567\n",
        listing.err,
    )
    assert line is not None, listing.err


def test_a_listing_stays_within_its_memory(listing: Done) -> None:
    assert listing.peak_bytes <= MAX_RSS_BYTES


def test_the_same_again_costs_one_request_at_main(scene: Scene, listing: Done) -> None:
    again = scene.run(f"s1inspect list-tensors -m {REPO}")
    assert [one.path for one in again.log] == [f"/api/models/{REPO}/revision/main"]
    assert again.out == listing.out
    assert again.peak_bytes <= MAX_RSS_BYTES
    assert again.err.startswith("1 request,")


@pytest.mark.parametrize("options", ["-q", "--format table"])
def test_a_listing_of_a_commit_that_was_kept_costs_no_request_and_no_more_memory(
    scene: Scene, listing: Done, options: str
) -> None:
    again = scene.run(f"s1inspect list-tensors -m {PINNED} {options}")
    assert listing.log
    assert again.log == []
    assert "290,292" in again.out or again.out.count("\n") >= 290_292
    assert again.peak_bytes <= MAX_RSS_BYTES
    assert again.err.startswith("0 requests,")


def test_all_rows_as_json_stay_within_the_same_memory(scene: Scene, listing: Done) -> None:
    done = scene.run(f"s1inspect list-tensors -m {PINNED} --json")
    document = msgspec.json.decode(done.out)
    assert listing.log
    assert done.log == []
    assert len(document["tensors"]) == document["totals"]["tensors"] == 290_292
    assert document["totals"]["by_dtype"]["F8_E4M3"]["count"] == 915_088_080_896
    assert document["model"]["commit"] == COMMIT
    assert done.peak_bytes <= MAX_RSS_BYTES


def test_a_plan_says_what_the_listing_took(scene: Scene, listing: Done) -> None:
    plan = json.loads(scene.run("s1inspect list-tensors --plan --json --no-cache").out)
    took = sum(one.body_bytes for one in listing.log if one.status in (200, 206))
    config = plan["reads"][-1]
    assert config["what"] == "config.json, where codes are packed in words"  # which they are not
    assert plan["totals"]["requests"] == 3 + scene.summary.shards + config["requests"]
    assert took <= plan["totals"]["bytes"] <= 1.01 * took
    assert plan["cost"]["requests"] == 3


def test_one_expert_of_a_kept_catalog_costs_its_bytes_alone(scene: Scene, listing: Done) -> None:
    done = scene.run(f"s1inspect dequant layers.3.mlp.experts.200 -m {PINNED} --json")
    read = sum(one.body_bytes for one in done.log if (one.origin, one.status) == ("cdn", 206))
    assert listing.log
    assert scene.summary.filled_bytes <= read <= 1.02 * scene.summary.filled_bytes


def test_all_parameters_are_counted_as_the_formula_says(scene: Scene, listing: Done) -> None:
    """After the listing, whose headers were kept: only the commit is asked for again."""
    del listing
    done = scene.run("s1inspect params --json")
    document = json.loads(done.out)
    assert document["stored"]["total"] == document["formula"]["total"] == 916_895_644_160
    assert document["differences"] == []
    apart = {one["kind"]: one["elements"] for one in document["apart"]}
    assert apart == {"scales": 55_852_544, "buffers": 16_200}
    assert done.peak_bytes <= MAX_RSS_BYTES


def test_one_expert_is_decoded_as_written(scene: Scene, expert: Done) -> None:
    tensors = json.loads(expert.out)["tensors"]
    exported = load_file(scene.home / "e.safetensors")
    expected = [PREFIX + name for name in ("down_proj", "gate_proj", "up_proj")]
    assert sorted(exported) == [f"{name}.weight" for name in expected]
    for one in tensors:
        values = decoded(scene.replica, one["name"])
        np.testing.assert_array_equal(exported[one["name"]], values)
        assert one["statistics"]["absmax"] == np.abs(values).max()
        assert one["statistics"]["mean"] == pytest.approx(values.mean(dtype=np.float64))
        assert one["statistics"]["saturated"] > 0
    assert expert.peak_bytes <= MAX_RSS_BYTES


def test_one_expert_costs_its_bytes_and_a_header_without_the_index(
    scene: Scene, expert: Done
) -> None:
    read = sum(one.body_bytes for one in expert.log if one.status in (200, 206))
    payload = scene.summary.filled_bytes
    header = scene.summary.header_bytes / scene.summary.shards
    assert payload + header <= read <= 1.02 * payload + header
    assert not [one.path for one in expert.log if ".index.json" in one.path]
    assert Counter((one.origin, one.method, one.status) for one in expert.log) == {
        ("hub", "GET", 200): 2, ("hub", "GET", 307): 1, ("hub", "GET", 206): 1,
        ("hub", "GET", 302): 19, ("hub", "HEAD", 302): 1, ("cdn", "GET", 206): 24,
    }  # fmt: skip


def test_an_audit_by_headers_and_config_takes_no_more_memory_than_a_few_listings(
    scene: Scene,
) -> None:
    done = scene.run("s1inspect audit --sample 0 --limit 0 --json")
    document = json.loads(done.out)
    observed, skip = document["observed"], document["declared"]["modules_to_not_convert"]
    assert document["findings"] == []
    assert (observed["quantized_modules"], observed["unquantized_modules"]) == (144_760, 622)
    assert (skip["entries"], skip["unique"], skip["covered"]) == (623, 623, 622)
    assert sum(pattern["entries"] for pattern in skip["patterns"]) == 623
    assert done.peak_bytes <= MAX_AUDIT_RSS_BYTES


def test_an_audit_of_a_sample_reads_some_megabytes_in_few_requests(scene: Scene) -> None:
    done = scene.run("s1inspect audit --limit 0 --json --fail-on never")
    looked = json.loads(done.out)["observed"]["looked_into"]
    assert looked["weights"] == looked["with_codes"] == 28
    weights = [one for one in done.log if one.path.endswith(".safetensors")]
    assert len(weights) <= 2 * 28 * 2
    assert sum(one.body_bytes for one in weights) <= 20_000_000
