"""The rules of loaders against the loaders' own functions, where these are installed.

Of transformers the one file is loaded that has the function, without the package around it.
"""

import importlib.util
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from inspector.analysis.quant.loaders import transformers as transformers_rule
from inspector.analysis.quant.loaders.named import leaves_out_by_name
from inspector.analysis.quant.loaders.rule import Rule
from inspector.config.quantization import EVERY_LINEAR
from tests.analysis.quant.test_loaders import config

NAMES = (
    "lm_head",
    "model.visual.blocks.1.attn.proj",
    *(
        f"model{tower}.layers.{layer}.{part}"
        for tower in ("", ".language_model")
        for layer in (1, 11)
        for part in (
            "self_attn.q_proj", "self_attn.o_proj", "mlp.gate", "mlp.gate_proj",
            "mlp.experts.3.up_proj", "mlp.shared_experts.down_proj",
        )
    ),
)  # fmt: skip


def drawn_entry(rng: random.Random, *, is_named: bool) -> str:
    """An entry as lists have them: a name, a part of one, a pattern."""
    parts = rng.choice(NAMES).split(".")
    start, stop = sorted(rng.sample(range(len(parts) + 1), 2))
    part = ".".join(parts[start:stop])
    kinds = ["name", "prefix", "suffix", "part", "letters", "pattern"]
    match rng.choice(kinds):
        case "name":
            entry = ".".join(parts)
        case "prefix":
            entry = ".".join(parts[:stop])
        case "suffix":
            entry = ".".join(parts[start:])
        case "part":
            entry = part
        case "letters":
            entry = part[rng.randrange(len(part)) :]
        case _:
            entry = part.replace(rng.choice("1pmg"), rng.choice((".*", r"\w+", "[0-9]", ".")))
    return f"re:{entry}" if is_named and rng.random() < 0.4 else entry


def compared(ours: Callable[[list[str]], Callable[[str], bool]], theirs: Any, seed: int) -> int:
    """How many decisions were compared; both readings of drawn lists, name by name."""
    rng = random.Random(seed)
    count = 0
    for _ in range(150):
        entries = [drawn_entry(rng, is_named=seed > 0) for _ in range(rng.randint(1, 4))]
        leaves_out = ours(entries)
        for name in NAMES:
            assert leaves_out(name) == theirs(name, entries), (name, entries)
            count += 1
    return count


def test_an_entry_is_read_as_transformers_reads_it() -> None:
    found = importlib.util.find_spec("transformers")
    if found is None or found.origin is None:
        pytest.skip("transformers is installed with the extra `oracle`")
    file = Path(found.origin).parent / "quantizers/quantizers_utils.py"
    spec = importlib.util.spec_from_file_location("quantizers_utils", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def ours(entries: list[str]) -> Callable[[str], bool]:
        rule = transformers_rule.rule(config("fp8", entries))
        assert isinstance(rule, Rule)
        return rule.leaves_out

    def theirs(name: str, entries: list[str]) -> bool:
        return not module.should_convert_module(name, entries)

    assert compared(ours, theirs, seed=0) == 150 * len(NAMES)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_list_and_targets_are_read_as_compressed_tensors_reads_them(seed: int) -> None:
    match = pytest.importorskip("compressed_tensors.utils.match", reason="extra `oracle`")
    torch = pytest.importorskip("torch", reason="extra `oracle`")
    linear = torch.nn.Linear(1, 1)
    rng = random.Random(seed)
    some = [drawn_entry(rng, is_named=True) for _ in range(3)]
    targets = [EVERY_LINEAR] if seed == 1 else some

    def ours(entries: list[str]) -> Callable[[str], bool]:
        groups = {"g": {"targets": targets, "weights": {"num_bits": 8, "type": "float"}}}
        return leaves_out_by_name(config("compressed-tensors", entries, config_groups=groups))

    def theirs(name: str, entries: list[str]) -> bool:
        is_meant = match.is_match(name, linear, targets)
        return not is_meant or match.is_match(name, linear, entries)

    assert compared(ours, theirs, seed) == 150 * len(NAMES)
