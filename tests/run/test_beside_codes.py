"""What stands beside codes is an input of a run as they are: a change of one byte is noticed."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from inspector.analysis.compare.samples import Sample
from inspector.analysis.compare.weight_diff import WeightRow
from inspector.analysis.quant.audit import audit_facts
from inspector.checkpoint import Checkpoint, ReadPolicy
from inspector.checkpoint.comparison import WeightComparison, sides_of
from inspector.checkpoint.reader import Part
from inspector.errors import SourceChanged
from inspector.run.audit_tasks import look_tasks
from inspector.run.compare_tasks import pair_tasks
from inspector.run.export_tasks import ExportAs, export_tasks
from inspector.run.recipe import OpenSources, recipe_of
from inspector.run.tasks import Task
from inspector.source.base import Ledger
from inspector.source.local import LocalSource
from tests.checkpoint.settled import settle
from tests.cli.running import invoke
from tests.decode.test_sparse import compressed, pruned, thinned
from tests.quantized import Array, bitsandbytes, bitsandbytes_state, gptq
from tests.strategies_arrays import shard_of

MODULE = "model.layers.0.self_attn.q_proj"


def nested() -> dict[str, Array]:
    name = f"{MODULE}.weight"
    return bitsandbytes(MODULE, 32, 64) | {
        f"{name}.absmax": np.arange(32, dtype=np.uint8),
        f"{name}.nested_absmax": np.ones(1, np.float32),
        f"{name}.nested_quant_map": np.linspace(-1, 1, 256, dtype=np.float32),
        f"{name}.quant_state.bitsandbytes__nf4": bitsandbytes_state(
            (32, 64), nested_blocksize=256, nested_offset=2.0
        ),
    }


def sparse() -> dict[str, Array]:
    rng = np.random.default_rng(1)
    tensors = pruned(rng.integers(-127, 128, (32, 64)).astype(np.int8))
    scale = {f"{MODULE}.weight_scale": np.ones((32, 1), np.float32)}
    return scale | {f"{MODULE}{end}": one for end, one in tensors.items()}


def sparse_run() -> dict[str, Array]:
    return {f"{MODULE}{end}": one for end, one in compressed(thinned((32, 64), 0.5)).items()}


def packed() -> dict[str, Array]:
    return {
        f"{MODULE}.weight_packed": np.full((32, 8), 0x12345678, np.int32),
        f"{MODULE}.weight_scale": np.ones((32, 1), np.float32),
        f"{MODULE}.weight_shape": np.array([32, 64], np.int64),
    }


def of_eight_bits() -> dict[str, Array]:
    return {
        f"{MODULE}.weight": np.ones((32, 64), np.int8),
        f"{MODULE}.SCB": np.ones(32, np.float32),
        f"{MODULE}.weight_format": np.zeros((), np.uint8),
    }


_GROUPS = {"group_0": {"weights": {"num_bits": 4, "type": "int", "group_size": 64}}}
MODELS: Mapping[str, tuple[dict[str, Array], dict[str, object]]] = {
    "bitsandbytes": (nested(), {"quant_method": "bitsandbytes"}),
    "GPTQ": (gptq(MODULE, 32, 64), {"quant_method": "gptq", "bits": 4, "group_size": 64}),
    "sparse": (sparse(), {"quant_method": "compressed-tensors"}),
    "sparse run": (sparse_run(), {"quant_method": "compressed-tensors"}),
    "packed": (packed(), {"quant_method": "compressed-tensors", "config_groups": _GROUPS}),
    "LLM.int8": (of_eight_bits(), {"quant_method": "bitsandbytes"}),
}
BESIDE = {
    "bitsandbytes": ("absmax", "nested_absmax", "nested_quant_map", "bitsandbytes__nf4"),
    "GPTQ": ("scales", "qzeros", "g_idx"),
    "sparse": ("weight_scale", "bitmask", "shape"),
    "sparse run": ("bitmask", "row_offsets", "shape"),
    "packed": ("weight_scale", "weight_shape"),
    "LLM.int8": ("SCB", "weight_format"),
}
"""The ends of names of what the values of a weight depend on, but for its codes."""

CASES = [(kind, end) for kind, ends in BESIDE.items() for end in ends]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    settle(monkeypatch)
    return tmp_path / "model"


def write(folder: Path, kind: str) -> None:
    """Each tensor in a file of its own."""
    tensors, claim = MODELS[kind]
    folder.mkdir()
    for at, (name, one) in enumerate(sorted(tensors.items())):
        (folder / f"{at}-{name.rpartition('.')[2]}.safetensors").write_bytes(shard_of({name: one}))
    text = str({"model_type": "m", "hidden_size": 64, "quantization_config": claim})
    (folder / "config.json").write_text(text.replace("'", '"'))


def change(folder: Path, end: str) -> None:
    """The last byte of a tensor: of a state it is the brace that ends it, which is blank then."""
    (file,) = (one for one in folder.iterdir() if one.stem.partition("-")[2] == end)
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


def planned(folder: Path) -> dict[str, Sequence[Task]]:
    """The tasks of each command, of a checkpoint as it is now."""
    source = LocalSource(folder, Ledger())
    checkpoint = Checkpoint(source, Ledger(), ReadPolicy(jobs=1))
    recipe = recipe_of(str(folder), None, source, 1, offline=True, no_cache=True)
    tasks: dict[str, Sequence[Task]] = {}

    def compare(samples: Sequence[Sample]) -> list[WeightRow]:
        tasks["compare"] = pair_tasks(samples, ((recipe, source), (recipe, source)))
        return []

    sides = sides_of(checkpoint, checkpoint, config_only=False)
    WeightComparison((checkpoint, checkpoint), sides, full=True, seed=0).read(compare)
    facts = audit_facts(checkpoint.weights, checkpoint.claim)
    tasks["audit"] = look_tasks(facts.looks(None), recipe, source)
    stored = list(checkpoint.weights.stored_weights(checkpoint.catalog.all_rows))
    parts = [Part(weight, 0, weight.rows) for weight in checkpoint.reader.settle(stored)]
    how = ExportAs(
        str(folder), "float32", norms=False, verify=False, location=str(folder), commit=None
    )
    tasks["dequant"] = export_tasks(parts, how, recipe, source, file_bytes=1 << 30)
    return tasks


@pytest.mark.parametrize(("kind", "end"), CASES)
def test_a_worker_refuses_a_file_that_is_another_than_when_the_work_was_planned(
    kind: str, end: str, folder: Path
) -> None:
    """Whether it is read then, or was for the plan, as what holds a shape or an order."""
    write(folder, kind)
    before = planned(folder)
    assert set(before) == {"compare", "audit", "dequant"}
    for tasks in before.values():
        assert len(tasks) == 1
        OpenSources().open(tasks[0].inputs[0])
    change(folder, end)
    for tasks in before.values():
        with pytest.raises(SourceChanged):
            OpenSources().open(tasks[0].inputs[0])


@pytest.mark.parametrize(("kind", "end"), CASES)
@pytest.mark.parametrize("command", ["audit", "compare"])
def test_a_run_of_another_byte_is_another_run(
    command: str, kind: str, end: str, folder: Path, tmp_path: Path
) -> None:
    write(folder, kind)
    words = [command, "-m", str(folder), "--full", "--out", str(tmp_path / "run"), "--json"]
    words += ["--ref", str(folder)] if command == "compare" else []
    first = invoke(*words)
    assert first.exit_code in (0, 1), first.output
    again = invoke(*words)
    assert again.exit_code == first.exit_code
    assert " 0 made" in again.stderr
    change(folder, end)
    refused = invoke(*words)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "results of another run: model" in refused.stderr
