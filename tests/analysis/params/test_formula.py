"""Counts by formula, against models that others built and figures that publishers state."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.analysis.params.terms import Conventions, Included
from inspector.errors import ConfigError
from tests.analysis.params.counting import EVERYTHING, config_of, counted, formula, parameters
from tests.analysis.params.published import PUBLISHED, Published
from tests.intern_s1_pro import Architecture, config

CONFIGS = Path(__file__).resolve().parents[4] / "shared/data/configs"
BY_NAME = {one.name: one.config for one in PUBLISHED}
INTERN, QWEN3_VL = BY_NAME["Intern-S1-Pro"], BY_NAME["Qwen3-VL-235B-A22B"]

each_model = pytest.mark.parametrize("model", PUBLISHED, ids=lambda one: one.name)


@each_model
def test_the_total_is_that_of_the_model_that_transformers_builds(model: Published) -> None:
    if model.built is None:
        pytest.skip("transformers has no class of this model")
    assert formula(model.config).total == model.built


@each_model
def test_the_total_is_what_the_publisher_states(model: Published) -> None:
    assert formula(model.config).total / 1e9 == pytest.approx(model.stated, rel=model.within)


WITHOUT_EMBEDDING = {"gpt-oss-20b", "DeepSeek-V4-Flash", "DeepSeek-V3.2", "Kimi-K2", "GLM-5"}
WITHOUT_BOTH = {"MiniMax-M2.5"}


@each_model
def test_the_activated_count_is_what_the_publisher_states(model: Published) -> None:
    """Publishers differ in whether a token activates the embedding, or the head."""
    conventions = Conventions(
        activated=Included(
            vision=False,
            embeddings=model.name not in WITHOUT_EMBEDDING | WITHOUT_BOTH,
            head=model.name not in WITHOUT_BOTH,
        )
    )
    activated = formula(model.config, conventions).activated
    assert activated / 1e9 == pytest.approx(model.stated_activated, rel=0.025)


def test_the_figures_of_the_public_comparison_of_intern_s1_pro_come_out() -> None:
    counts = formula(INTERN)
    text = counts.of("text")
    assert text is not None
    assert f"{text.parameters / 1e9:.2f} {text.activated / 1e9:.2f}" == "916.56 22.36"
    assert f"{100 * text.activated / text.parameters:.2f}" == "2.44"
    assert parameters(counts, "attention") == 94 * 71_303_168
    assert parameters(counts, "experts") == 94 * 512 * 18_874_368
    assert parameters(counts, "router") == 94 * 512 * 4096
    assert parameters(counts, "embedding") == parameters(counts, "head") == 155_008 * 4096
    assert counts.total == 916_895_644_160


def test_the_figures_of_the_public_comparison_of_qwen3_vl_come_out() -> None:
    counts = formula(QWEN3_VL)
    text = counts.of("text")
    assert text is not None
    assert f"{text.parameters / 1e9:.2f} {text.activated / 1e9:.2f}" == "235.09 22.19"
    assert f"{100 * text.activated / text.parameters:.2f}" == "9.44"
    assert parameters(counts, "experts") // 94 == 128 * 18_874_368 == 2_415_919_104
    assert parameters(counts, "router") // 94 == 524_288
    assert parameters(counts, "vision") == 576_388_336


def test_deepseek_v3s_module_for_further_tokens_has_the_parameters_its_authors_state() -> None:
    """`README_WEIGHTS.md` of DeepSeek-V3: 11.5 billion of its own, embedding and head shared."""
    plain = {k: v for k, v in BY_NAME["DeepSeek-V3.2"].items() if not k.startswith("index")}
    assert parameters(formula(plain), "mtp") / 1e9 == pytest.approx(11.5, rel=0.01)


@pytest.mark.parametrize(
    ("left_out", "component"),
    [
        ({"embeddings": False}, "embedding"), ({"head": False}, "head"),
        ({"vision": False}, "vision"), ({"router": False}, "router"), ({"mtp": True}, None),
    ],
    ids=lambda value: str(value),
)  # fmt: skip
def test_a_total_leaves_out_what_its_convention_leaves_out(
    left_out: dict[str, bool], component: str | None
) -> None:
    conventions = Conventions(total=Included(**left_out))
    whole, part = formula(QWEN3_VL), formula(QWEN3_VL, conventions)
    missing = parameters(whole, component) if component else 0
    assert whole.total - part.total == missing
    assert whole.breakdown == part.breakdown


def test_shared_experts_and_further_tokens_are_switched_too() -> None:
    deepseek = BY_NAME["DeepSeek-V3.2"]
    with_all = formula(deepseek, EVERYTHING)
    without = formula(deepseek, Conventions(total=Included(shared_experts=False)))
    assert with_all.total - formula(deepseek).total == parameters(with_all, "mtp")
    assert formula(deepseek).total - without.total == 58 * 3 * 7168 * 2048


def test_a_tied_head_is_counted_once() -> None:
    tied = {**BY_NAME["Qwen3-30B-A3B"], "tie_word_embeddings": True}
    assert formula(BY_NAME["Qwen3-30B-A3B"]).total - formula(tied).total == 151_936 * 2048


def test_the_first_layers_of_deepseek_are_dense() -> None:
    counts = formula(BY_NAME["DeepSeek-V3.2"])
    assert parameters(counts, "dense_mlp") == 3 * 3 * 7168 * 18432
    assert parameters(counts, "experts") == 58 * 256 * 3 * 7168 * 2048


def test_a_dense_model_is_counted() -> None:
    """Llama 3.1 8B: 8,030,261,248 parameters in its headers."""
    llama = {
        "model_type": "llama", "hidden_size": 4096, "num_hidden_layers": 32, "vocab_size": 128256,
        "num_attention_heads": 32, "num_key_value_heads": 8, "intermediate_size": 14336,
    }  # fmt: skip
    counts = formula(llama)
    assert counts.total == counts.activated == 8_030_261_248


def test_qwen2s_biases_are_counted() -> None:
    """Qwen2.5 7B: 7,615,616,512 parameters in its headers."""
    qwen = {
        "model_type": "qwen2", "hidden_size": 3584, "num_hidden_layers": 28, "vocab_size": 152064,
        "num_attention_heads": 28, "num_key_value_heads": 4, "intermediate_size": 18944,
    }  # fmt: skip
    assert formula(qwen).total == 7_615_616_512


def test_an_unknown_vision_tower_is_named_not_guessed() -> None:
    strange = {**QWEN3_VL, "vision_config": {"model_type": "strange_vit", "hidden_size": 3}}
    found = counted(strange)
    assert found.notes == [
        "formula incomplete: vision tower strange_vit: its modules are not known"
    ]
    assert parameters(found.formula, "vision") == 0


def test_a_config_that_says_too_little_is_an_error_that_names_the_field() -> None:
    with pytest.raises(ConfigError, match="states no num_hidden_layers"):
        counted({"hidden_size": 8})


@pytest.mark.parametrize("value", [True, -1, 1.5, "8", 2**60], ids=str)
def test_a_count_that_is_none_is_an_error(value: object) -> None:
    with pytest.raises(ConfigError, match="num_attention_heads should be a count"):
        counted({**BY_NAME["Mixtral-8x7B"], "num_attention_heads": value})


@pytest.mark.parametrize(
    ("model", "bytes_at", "a_token"),
    [
        ("Qwen3-VL-235B-A22B", 94 * 2 * 4 * 128 * 1000 * 2, 192_512),
        ("Kimi-K2", 61 * (512 + 64) * 1000 * 2, 61 * 576 * 2),
        ("DeepSeek-V3.2", 61 * (512 + 64 + 128) * 1000 * 2, 61 * 704 * 2),
        ("gpt-oss-20b", (12 * 128 + 12 * 1000) * 2 * 8 * 64 * 2, 12 * 2 * 8 * 64 * 2),
        ("Llama-4-Scout", 48 * 1000 * 2 * 8 * 128 * 2, 12 * 2 * 8 * 128 * 2),
    ],
    ids=lambda value: str(value),
)
def test_the_cache_of_keys_and_values(model: str, bytes_at: int, a_token: int) -> None:
    """BF16, 1,000 tokens: more than gpt-oss's window of 128, fewer than Llama 4's chunk."""
    cache = counted(BY_NAME[model], context=1000).cache_memory[0]
    assert (cache.dtype, cache.context) == ("BF16", 1000)
    assert (cache.bytes, cache.bytes_per_token) == (bytes_at, a_token)


def test_deepseek_v4_keeps_one_vector_a_pooled_group() -> None:
    """By hand: a window of 128 in 43 layers, 1/4 of the tokens in 21, 1/128 in 20."""
    cache = counted(BY_NAME["DeepSeek-V4-Flash"], context=1280).cache_memory[0]
    values = 43 * 512 * 128 + 21 * (512 + 128) * 320 + 20 * 512 * 10
    assert cache.bytes == 2 * values


def test_memory_for_weights_is_bits_times_parameters() -> None:
    found = counted(INTERN)
    assert found.formula is not None
    assert {one.dtype: one.total_bytes for one in found.weight_memory} == {
        "F32": found.formula.total * 4,
        "BF16": found.formula.total * 2,
        "F8": found.formula.total,
        "INT4": found.formula.total // 2,
    }


@pytest.mark.skipif(not CONFIGS.is_dir(), reason="the published configs are not here")
def test_whole_published_configs_give_the_counts_of_their_numbers() -> None:
    """The configs of `PUBLISHED` hold what decides a count; nothing else in a real one does."""
    known = {formula(one.config).total for one in PUBLISHED}
    files = sorted(CONFIGS.glob("*.json"))
    assert len(files) >= 14
    strange = {file.name for file in files if formula(read(file)).total not in known}
    assert strange == set()


def read(file: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    assert config_of(document).raw == document
    return document


def test_the_test_config_is_the_published_shape() -> None:
    assert config(Architecture()) == INTERN


def test_a_model_type_whose_code_was_not_read_is_said() -> None:
    (note,) = counted({**BY_NAME["Mixtral-8x7B"], "model_type": "novel"}).notes
    assert note.startswith("formula incomplete: model type novel: its code was not read")


def test_linear_attention_is_said_to_be_counted_as_full() -> None:
    kinds = ["linear_attention", "full_attention"] * 24
    (note,) = counted({**BY_NAME["Qwen3-30B-A3B"], "layer_types": kinds}).notes
    assert "layers of kind linear_attention: counted as full attention" in note


@pytest.mark.parametrize(
    ("model", "biases"),
    [
        ("Qwen3-30B-A3B", 48 * (4096 + 512 + 512 + 2048)),
        ("DeepSeek-V3.2", 61 * (1536 + 576 + 7168)),
        ("MiniMax-M2.5", 0),
    ],
)
def test_attention_bias_adds_what_the_models_code_adds(model: str, biases: int) -> None:
    """As transformers 5.24 builds them: with latent attention on the projections to ranks."""
    with_bias = formula({**BY_NAME[model], "attention_bias": True})
    assert with_bias.total - formula(BY_NAME[model]).total == biases


KEYS = sorted(
    {key for one in PUBLISHED for key in (one.config | one.config.get("text_config", {}))}
)
odd: st.SearchStrategy[object] = st.sampled_from(
    [None, True, -1, 0, 1, 2, 3, 8, 2**39, 2**70, 1.5, "x", [], [0, 4], {}]
)


@settings(max_examples=300)
@given(st.sampled_from(PUBLISHED), st.dictionaries(st.sampled_from(KEYS), odd, max_size=4))
def test_any_config_is_counted_or_refused(model: Published, changes: dict[str, Any]) -> None:
    try:
        found = counted({**model.config, **changes})
    except ConfigError:
        return
    assert found.formula is not None
    assert found.formula.total >= found.formula.activated >= 0
