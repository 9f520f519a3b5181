"""What a core does of a whole model: bytes a second of tasks, and what that makes of 1.4 TB."""

import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import ml_dtypes
import numpy as np

from benchmarks.table import print_table
from inspector.analysis.compare.samples import Pair, sample_of
from inspector.analysis.quant.audit import audit_facts
from inspector.checkpoint import Checkpoint, open_checkpoint
from inspector.checkpoint.reader import Part
from inspector.decode.device import CPU
from inspector.run.audit_tasks import look_tasks
from inspector.run.compare_tasks import pair_tasks
from inspector.run.export_tasks import ExportAs, export_tasks
from inspector.run.folder import RUN_FILE
from inspector.run.recipe import Recipe, recipe_of
from inspector.run.tasks import Task
from inspector.source.base import Source

SHAPE: Final = (1536, 4096)
"""Of gate and up of one expert of Intern-S1-Pro."""

EXPERTS: Final = 6
BLOCK: Final = 128
ROUNDS: Final = 3

MODEL_BYTES: Final = 919e9
REF_BYTES: Final = 470e9
"""internlm/Intern-S1-Pro in FP8, and Qwen/Qwen3-235B-A22B in BF16: 1.39 TB together."""

NETWORKS: Final = {"1 Gbit/s": 125e6, "10 Gbit/s": 1.25e9, "100 Gbit/s": 12.5e9}
CORES: Final = (2, 16, 64, 256)


class Rate(NamedTuple):
    """Stored bytes a second of one core, and bytes that the work is for."""

    what: str
    rate: float
    bytes: float


def main(rounds: int = ROUNDS) -> None:
    """Measure the tasks of a full audit, comparison and export; compute hours from their rates."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        fp8, again, plain = (
            write_experts(root / name, seed, quantized=quantized)
            for name, seed, quantized in (("a", 1, True), ("b", 2, True), ("c", 3, False))
        )
        rates = [
            _rate("audit --full", rounds, _audit(fp8), MODEL_BYTES),
            _rate("compare --full, FP8 to FP8", rounds, comparison(fp8, again), 2 * MODEL_BYTES),
            _rate(
                "compare --full, FP8 to BF16",
                rounds,
                comparison(fp8, plain),
                MODEL_BYTES + REF_BYTES,
            ),
            _rate("dequant --out, to bfloat16", rounds, _export(fp8, root / "out"), MODEL_BYTES),
        ]
    print_table(
        f"whole: {2 * EXPERTS} matrices of {list(SHAPE)}, processor time, best of {rounds}",
        ("", "MB/s a core", "bytes", "core hours"),
        [
            (one.what, f"{one.rate / 1e6:,.0f}", f"{one.bytes / 1e12:.2f} TB",
             f"{one.bytes / one.rate / 3600:.1f}")
            for one in rates
        ],
    )  # fmt: skip
    print_hours(rates[2])


def hours(size: float, rate: float, cores: int, network: float) -> float:
    """Hours for so many bytes: bytes / min(cores x rate, network) / 3600.

    >>> hours(3.6e12, 1e8, cores=10, network=5e8)
    2.0
    """
    return size / min(cores * rate, network) / 3600


def print_hours(work: Rate) -> None:
    """The hours of one work by cores and network."""
    rows = [
        (f"{cores} cores",
         *(f"{hours(work.bytes, work.rate, cores, speed):.2f} h" for speed in NETWORKS.values()))
        for cores in CORES
    ]  # fmt: skip
    title = f"{work.what}, {work.bytes / 1e12:.2f} TB: bytes / min(cores x rate, network)"
    print_table(title, ("", *NETWORKS), rows)


Work = list[tuple[Task, Sequence[Source]]]
"""Tasks, and what each reads from."""


def _rate(what: str, rounds: int, work: Work, size: float) -> Rate:
    """The best of some rounds, in processor time: others on the machine do not count."""
    seconds = []
    for _ in range(rounds):
        begun = time.process_time()
        for task, sources in work:
            task.run(sources)
        seconds.append(time.process_time() - begun)
    return Rate(what, sum(task.size for task, _ in work) / min(seconds), size)


def _audit(one: Checkpoint) -> Work:
    looks = audit_facts(one.weights, one.claim).looks(None)
    return [(task, [one.source]) for task in look_tasks(looks, _recipe(one), one.source)]


def comparison(one: Checkpoint, other: Checkpoint, device: str = CPU) -> Work:
    """The tasks of a full comparison, on a device."""
    rng = np.random.default_rng(0)
    both = zip(_parts(one), _parts(other), strict=True)
    pairs = [
        Pair(left.weight.name, "experts", 0, left.weight, right.weight) for left, right in both
    ]
    samples = [sample_of(pair, rng, rows=None) for pair in pairs]
    sides = (_recipe(one), one.source), (_recipe(other), other.source)
    return [(task, [one.source, other.source]) for task in pair_tasks(samples, sides, device)]


def _export(one: Checkpoint, folder: Path) -> Work:
    folder.mkdir()
    (folder / RUN_FILE).touch()
    how = ExportAs(str(folder), "bfloat16", norms=False, verify=False, location="", commit=None)
    tasks = export_tasks(_parts(one), how, _recipe(one), one.source, file_bytes=2_000_000_000)
    return [(task, [one.source]) for task in tasks]


def _parts(one: Checkpoint) -> list[Part]:
    weights = one.weights.stored_weights(one.catalog.all_rows)
    return [Part(weight, 0, weight.rows) for weight in weights]


def _recipe(one: Checkpoint) -> Recipe:
    location = one.source.location
    return recipe_of(location, None, one.source, 2, offline=False, no_cache=True)


def write_experts(
    folder: Path, seed: int, *, quantized: bool, experts: int = EXPERTS
) -> Checkpoint:
    """A checkpoint with the gate and up of some experts, in FP8 with block scales or in BF16."""
    rng = np.random.default_rng(seed)
    tensors: dict[str, tuple[str, tuple[int, ...], bytes]] = {}
    for expert in range(experts):
        for projection in ("gate_proj", "up_proj"):
            name = f"model.layers.0.mlp.experts.{expert}.{projection}.weight"
            values = rng.standard_normal(SHAPE, dtype=np.float32)
            if quantized:
                codes = (values * 100).clip(-448, 448).astype(ml_dtypes.float8_e4m3fn)
                grid = (-(-SHAPE[0] // BLOCK), -(-SHAPE[1] // BLOCK))
                scale = rng.uniform(1e-4, 2e-4, grid).astype(np.float32)
                tensors[name] = "F8_E4M3", SHAPE, codes.tobytes()
                tensors[f"{name}_scale_inv"] = "F32", grid, scale.tobytes()
            else:
                tensors[name] = "BF16", SHAPE, values.astype(ml_dtypes.bfloat16).tobytes()
    folder.mkdir()
    _save(folder / "model.safetensors", tensors)
    claim = {"quant_method": "fp8", "fmt": "e4m3", "weight_block_size": [BLOCK, BLOCK]}
    config = {"quantization_config": claim} if quantized else {}
    (folder / "config.json").write_text(json.dumps(config))
    return open_checkpoint(str(folder))


def _save(path: Path, tensors: Mapping[str, tuple[str, tuple[int, ...], bytes]]) -> None:
    header: dict[str, object] = {}
    at = 0
    for name, (dtype, shape, content) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + len(content)]}
        at += len(content)
    text = json.dumps(header).encode()
    contents = b"".join(content for _, _, content in tensors.values())
    path.write_bytes(len(text).to_bytes(8, "little") + text + contents)
