import json
from pathlib import Path

import pytest

from inspector.config import parse_config
from inspector.layout.declared import Declared, declared_by

CONFIGS = Path(__file__).parents[3] / "shared" / "data" / "configs"


def declared(quantization: object, **fields: object) -> Declared:
    text = json.dumps({"quantization_config": quantization, **fields}).encode()
    return declared_by(parse_config(text, file="config.json"))


def groups(*weights: dict[str, object]) -> dict[str, object]:
    return {"config_groups": {str(at): {"weights": one} for at, one in enumerate(weights)}}


def test_no_config_declares_nothing() -> None:
    assert declared_by(None) == Declared()
    assert declared({}) == Declared()


@pytest.mark.parametrize(
    ("quantization", "blocks", "integers"),
    [
        ({"weight_block_size": [128, 64]}, ((128, 64),), ()),
        (groups({"num_bits": 4, "group_size": 32}), ((1, 32),), ((4, 32),)),
        (groups({"num_bits": 8, "group_size": None}), (), ((8, None),)),
        (groups({"num_bits": 8, "group_size": -1}), (), ((8, None),)),
        (groups({"block_structure": [128, 128]}), ((128, 128),), ()),
        (groups({"block_structure": "128x128"}), ((128, 128),), ()),
        (groups({"group_size": 32}, {"group_size": 64}), ((1, 32), (1, 64)), ()),
        (groups({"group_size": 32}, {"group_size": 32}), ((1, 32),), ()),
        ({"quant_algo": "FP8_PB_WO"}, ((128, 128),), ()),
        ({"quant_algo": "NVFP4", "group_size": 16}, ((1, 16),), ()),
        (groups({"num_bits": "4", "group_size": True}), (), ()),
        ({"config_groups": [1, 2]}, (), ()),
    ],
    ids=str,
)  # fmt: skip
def test_every_dialect_declares_blocks_and_widths(
    quantization: dict[str, object],
    blocks: tuple[tuple[int, int], ...],
    integers: tuple[tuple[int, int | None], ...],
) -> None:
    assert declared(quantization) == Declared(blocks, integers)


def test_the_text_model_may_declare_it() -> None:
    text_config = {"quantization_config": groups({"num_bits": 4, "group_size": 32})}
    assert declared(None, text_config=text_config) == Declared(((1, 32),), ((4, 32),))


PUBLISHED = {
    "Intern-S1-Pro": Declared(((128, 128),)),
    "MiniMaxAI--MiniMax-M2.5": Declared(((128, 128),)),
    "deepseek-ai--DeepSeek-V4-Flash": Declared(((128, 128),)),
    "llama-4-scout-17b-16e-instruct-fp8-dynamic": Declared((), ((8, None),)),
    "openai--gpt-oss-20b": Declared(),
    "mixtral-8x7b-v0.1": Declared(),
}


@pytest.mark.parametrize("model", PUBLISHED)
def test_what_published_configs_declare(model: str) -> None:
    path = CONFIGS / f"{model}.config.json"
    if not path.exists():
        pytest.skip(f"{path} is not here: published configs are kept apart")
    assert declared_by(parse_config(path.read_bytes(), file=path.name)) == PUBLISHED[model]
