"""A plan says what the command then does, and --max-bytes is never passed."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cli.running import FUSED, QWEN3, S1, answer, invoke
from tests.hub import Hub
from tests.source.serving import Connect
from tests.strategies_arrays import shard_of

EXPERT = "layers.0.mlp.experts.2"
SIMILARITY = ["expert-similarity", "-m", "org/s1", "--ref", "org/qwen3"]

COMMANDS = {
    "list-tensors": ["list-tensors"],
    "list-tensors, one file": ["list-tensors", "-m", "FILE"],
    "dequant, one expert": ["dequant", EXPERT],
    "dequant, some rows": ["dequant", EXPERT, "--rows", "0:7"],
    "dequant, a layer": ["dequant", "layers.0"],
    "dequant, everything": ["dequant", "re:."],
    "dequant, fused": ["dequant", "layers.0.mlp.experts.7", "-m", "FUSED"],
}
LISTINGS = [name for name in COMMANDS if name.startswith("list")]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = tmp_path_factory.mktemp("hub") / "org"
    top.mkdir()
    for name, folder in (("s1", S1), ("qwen3", QWEN3), ("fused", FUSED)):
        (top / name).symlink_to(folder)
    return top.parent


@pytest.fixture
def hub(root: Path, connect: Connect) -> Iterator[Hub]:
    with Hub(root) as served:
        connect(served)
        yield served


def on_disk(arguments: list[str]) -> list[str]:
    names = {
        "FILE": f"{S1}/model-00001-of-00005.safetensors",
        "FUSED": FUSED,
        "org/s1": S1,
        "org/qwen3": QWEN3,
    }
    found = [names.get(word, word) for word in arguments]
    return found if "-m" in found else [*found, "-m", S1]


def on_hub(arguments: list[str], hub: Hub) -> list[str]:
    page = f"{hub.endpoint}/org/s1/blob/main/model-00001-of-00005.safetensors"
    names = {"FILE": page, "FUSED": "org/fused"}
    found = [names.get(word, word) for word in arguments]
    return found if "-m" in found else [*found, "-m", "org/s1"]


def document(*arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(answer(*arguments, "--json", "--no-cache"))
    return found


def planned(arguments: list[str]) -> tuple[dict[str, Any], bool]:
    """The totals of a plan, and whether any of it is an estimate."""
    plan = document(*arguments, "--plan")
    assert plan["schema"] == "s1inspect/plan/1"
    assert plan["command"] == arguments[0]
    for key in ("requests", "bytes"):
        assert plan["totals"][key] == sum(one[key] for one in plan["reads"])
    return plan["totals"], any(one["is_estimate"] for one in plan["reads"])


@pytest.mark.parametrize("name", COMMANDS)
def test_on_disk_a_plan_is_exact(name: str) -> None:
    arguments = on_disk(COMMANDS[name])
    totals, is_estimate = planned(arguments)
    cost = document(*arguments)["cost"]
    assert not is_estimate
    assert totals == {"requests": cost["requests"], "bytes": cost["bytes"]}


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in LISTINGS])
def test_on_a_hub_the_plan_of_weights_is_exact(name: str, hub: Hub) -> None:
    arguments = on_hub(COMMANDS[name], hub)
    totals, is_estimate = planned(arguments)
    hub.log.clear()
    cost = document(*arguments)["cost"]
    assert not is_estimate
    assert totals == {"requests": cost["requests"], "bytes": cost["bytes"]}
    assert served_bytes(hub) == cost["bytes"]


@pytest.mark.parametrize("name", LISTINGS)
def test_on_a_hub_the_plan_of_headers_bounds_them(name: str, hub: Hub) -> None:
    arguments = on_hub(COMMANDS[name], hub)
    totals, is_estimate = planned(arguments)
    cost = document(*arguments)["cost"]
    assert is_estimate == (name == "list-tensors")
    config = int(is_estimate)  # it may be needed, which only the headers tell
    assert cost["requests"] == totals["requests"] - config
    assert cost["bytes"] <= totals["bytes"] <= 1.2 * cost["bytes"]


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository below `hub/` with integers in words, of which a config tells the width."""
    folder = tmp_path_factory.mktemp("packed") / "org/packed"
    folder.mkdir(parents=True)
    tensors = {"layers.0.q.weight_packed": np.zeros((4, 8), np.int32),
               "layers.0.q.weight_scale": np.ones((4, 2), np.float32),
               "layers.0.q.weight_shape": np.array([4, 64])}  # fmt: skip
    (folder / "model.safetensors").write_bytes(shard_of(tensors))
    weights = {"num_bits": 4, "group_size": 32}
    config = {"quantization_config": {"config_groups": {"group_0": {"weights": weights}}}}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def test_a_plan_counts_the_config_that_tells_how_many_numbers_a_word_holds(
    packed: Path, connect: Connect
) -> None:
    on_disk = ["list-tensors", "-m", str(packed)]
    totals, is_estimate = planned(on_disk)
    found = document(*on_disk)
    assert found["totals"]["parameters"] == 4 * 64
    assert not is_estimate
    assert totals == {"requests": found["cost"]["requests"], "bytes": found["cost"]["bytes"]}
    with Hub(packed.parent.parent) as hub:
        connect(hub)
        remote = ["list-tensors", "-m", "org/packed"]
        totals, is_estimate = planned(remote)
        cost = document(*remote)["cost"]
        assert is_estimate
        assert totals["requests"] == cost["requests"]
        answer(*remote)
        kept = json.loads(answer(*remote, "--plan", "--json"))
        cost = json.loads(answer(*remote, "--json"))["cost"]
        *known, config = kept["reads"]
        assert config["what"] == "config.json, where codes are packed in words"
        assert config["is_estimate"]  # it was kept as well
        assert sum(one["requests"] for one in known) == cost["requests"]


def test_where_all_headers_come_in_one_request_the_plan_is_a_bound(
    root: Path, connect: Connect
) -> None:
    with Hub(root, metadata_endpoint=True) as hub:
        connect(hub)
        totals, _ = planned(on_hub(COMMANDS["list-tensors"], hub))
        cost = document("list-tensors", "-m", "org/s1")["cost"]
    assert cost["requests"] <= totals["requests"]
    assert cost["bytes"] <= totals["bytes"]


@pytest.mark.parametrize("where", ["disk", "hub"])
def test_the_plan_of_a_match_bounds_it(where: str, hub: Hub) -> None:
    arguments = on_disk(SIMILARITY) if where == "disk" else SIMILARITY
    totals, is_estimate = planned(arguments)
    cost = document(*arguments)["cost"]
    assert is_estimate
    assert cost["requests"] <= totals["requests"] <= 3 * cost["requests"]
    assert cost["bytes"] <= totals["bytes"] <= 2.5 * cost["bytes"]  # a rotation may be looked for


def test_a_plan_of_what_is_kept_reads_no_header(hub: Hub) -> None:
    answer("list-tensors", "-m", "org/s1")
    plan = json.loads(answer("list-tensors", "-m", "org/s1", "--plan", "--json"))
    hub.log.clear()
    answer("list-tensors", "-m", "org/s1")
    assert plan["totals"]["requests"] == len(hub.log) == 1
    assert plan["model"]["files"] == 5


def test_a_plan_of_weights_after_their_headers_were_kept_is_exact(hub: Hub) -> None:
    arguments = ["dequant", EXPERT, "-m", "org/s1", "--json"]
    answer(*arguments)
    plan = json.loads(answer(*arguments, "--plan"))
    cost = json.loads(answer(*arguments))["cost"]
    assert plan["totals"] == {"requests": cost["requests"], "bytes": cost["bytes"]}


def test_a_plan_decodes_and_writes_nothing(tmp_path: Path, hub: Hub) -> None:
    file = tmp_path / "e.safetensors"
    answer("dequant", EXPERT, "-m", "org/s1", "-o", str(file), "--plan")
    assert not file.exists()
    sizes = {path.name: path.stat().st_size for path in Path(S1).iterdir()}
    read = sum(one.body_bytes for one in hub.log if one.status == 206)
    assert read < 0.1 * sum(sizes.values())


def served_bytes(hub: Hub) -> int:
    return sum(
        one.body_bytes for one in hub.log if one.method == "GET" and one.status in (200, 206)
    )


_WHOLE: dict[tuple[str, str], tuple[int, int]] = {}
"""Bytes of each command without a budget, and of what a hub's API answers meanwhile."""

BUDGETED = {
    "list-tensors": COMMANDS["list-tensors"],
    "dequant": COMMANDS["dequant, a layer"],
    "expert-similarity": SIMILARITY,
}


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.99])
@pytest.mark.parametrize("where", ["disk", "hub"])
@pytest.mark.parametrize("name", BUDGETED)
def test_a_budget_is_never_passed(name: str, where: str, share: float, hub: Hub) -> None:
    arguments = on_disk(BUDGETED[name]) if where == "disk" else on_hub(BUDGETED[name], hub)
    if (name, where) not in _WHOLE:
        cost = document(*arguments)["cost"]["bytes"]
        _WHOLE[name, where] = cost, api_bytes(hub) if where == "hub" else 0
    whole, floor = _WHOLE[name, where]
    budget = max(floor, int(share * whole))
    hub.log.clear()
    result = invoke(*arguments, "--no-cache", "--json", "--max-bytes", str(budget))
    assert served_bytes(hub) <= budget
    if result.exit_code == 0:
        assert name == "expert-similarity"
        assert json.loads(result.stdout)["cost"]["bytes"] <= budget
        return
    assert result.exit_code == 5
    assert result.stdout == ""
    line, hint = result.stderr.splitlines()
    assert f"{budget:,}" in line or "allowed" in line
    assert "--max-bytes" in hint


def test_a_match_within_a_budget_answers_with_what_it_allows() -> None:
    """The headers are spent too: what they leave is what the looks may take."""
    arguments = on_disk(SIMILARITY)
    whole = document(*arguments)["cost"]["bytes"]
    needed = {
        "finding the experts",
        "norms, embedding rows and routers, for the hidden basis",
        "choosing rows",
        "8 rows of every expert",
    }
    parts = [one for one in document(*arguments, "--plan")["reads"] if one["what"] in needed]
    assert len(parts) == len(needed)
    budget = sum(one["bytes"] for one in parts)
    found = document(*arguments, "--max-bytes", str(budget))
    assert found["cost"]["bytes"] <= budget < whole
    assert invoke(*arguments, "--max-bytes", str(budget - 1)).exit_code == 5


def api_bytes(hub: Hub) -> int:
    """What the hub says of its repositories before any file is read: of no known size before."""
    return sum(
        one.body_bytes for one in hub.log if "/api/models/" in one.path and one.status == 200
    )


@pytest.mark.parametrize("where", ["disk", "hub"])
@pytest.mark.parametrize("name", ["list-tensors", "dequant"])
def test_a_budget_that_fits_exactly_answers(name: str, where: str, hub: Hub) -> None:
    arguments = on_disk(BUDGETED[name]) if where == "disk" else on_hub(BUDGETED[name], hub)
    whole = document(*arguments)["cost"]["bytes"]
    assert document(*arguments, "--max-bytes", str(whole))["cost"]["bytes"] == whole
    assert invoke(*arguments, "--no-cache", "--max-bytes", str(whole - 1)).exit_code == 5


@pytest.mark.parametrize(
    ("name", "says"),
    [("list-tensors", "headers were read, missing: "), ("dequant", "missing would be: ")],
)
def test_a_budget_that_is_passed_says_what_is_missing(name: str, says: str) -> None:
    arguments = on_disk(BUDGETED[name])
    whole = document(*arguments)["cost"]["bytes"]
    result = invoke(*arguments, "--max-bytes", str(whole - 1))
    assert says in result.stderr.splitlines()[0]
