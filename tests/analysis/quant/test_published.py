"""Audits of replicas of published models, and the facts of their lists."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from inspector.analysis.name_lists import names_summary
from inspector.analysis.quant.audit import Audit
from inspector.analysis.quant.summary import declared_of, loader_table, observed_of
from inspector.config.quantization import quantization_of
from tests.published import PUBLISHED
from tests.quantized import audited, qwen_like, rules_of
from tests.replicas import nvfp4_replica, replica_of

SHARED = Path(__file__).resolve().parents[4] / "shared/data/configs"

EXPECTED: dict[str, list[str]] = {
    "zai-org--GLM-5-FP8": ["dead_skip_entry", "unlisted_but_unquantized"],
}
"""Rules that the replica of a model breaks; the others have no findings."""


@cache
def audit_of(file: str) -> Audit:
    return audited(replica_of(PUBLISHED[file]))


@pytest.mark.parametrize("file", PUBLISHED)
def test_a_replica_of_a_published_model_has_the_findings_expected(file: str) -> None:
    found = audit_of(file)
    assert rules_of(found) == EXPECTED.get(file, []), [str(one) for one in found.findings]
    observed = observed_of(found)
    stored = sum(family.modules for family in observed.quantized)
    assert stored == observed.quantized_modules
    assert (stored > 0) == (PUBLISHED[file].claim is not None)


def test_the_list_of_intern_s1_pro_has_623_entries() -> None:
    declared = declared_of(audit_of("Intern-S1-Pro").facts)
    assert declared is not None
    skip = declared.modules_to_not_convert
    assert skip is not None
    assert (skip.entries, skip.unique) == (623, 623)
    counts = {pattern.name: pattern.entries for pattern in skip.patterns}
    assert counts["model.language_model.layers.{0..93}.mlp.gate"] == 94
    assert counts["model.visual.blocks.{0..23}.attn.qkv"] == 24
    assert sum(counts.values()) == 623


def test_a_list_that_names_a_module_wrongly_leaves_entries_dead_and_the_module_unlisted() -> None:
    """GLM-5's list has `indexers_proj`, where the model's code has `indexer.weights_proj`."""
    by_rule = {finding.rule: finding for finding in audit_of("zai-org--GLM-5-FP8").findings}
    assert "self_attn.indexers_proj" in by_rule["dead_skip_entry"].message
    assert by_rule["dead_skip_entry"].found == "none for 79 entries"
    unlisted = by_rule["unlisted_but_unquantized"]
    assert unlisted.where.tensor == "model.layers.{0..78}.self_attn.indexer.weights_proj"


@pytest.mark.parametrize(
    ("file", "refusing"),
    [
        ("Intern-S1-Pro", set()),
        ("MiniMaxAI--MiniMax-M2.5", {"lmdeploy"}),
        ("llama-4-scout-17b-16e-instruct-fp8-dynamic", {"lmdeploy"}),
        ("openai--gpt-oss-20b", {"lmdeploy"}),
    ],
)
def test_loaders_take_what_is_stored_or_refuse_the_config(file: str, refusing: set[str]) -> None:
    table = loader_table(audit_of(file).facts)
    for name in ("transformers", "vllm", "sglang", "lmdeploy"):
        facts = getattr(table, name)
        assert bool(facts.refuses) == (name in refusing), name
        assert facts.against_stored == 0, name


def test_a_model_of_modelopt_is_audited_by_its_own_file() -> None:
    found = audited(nvfp4_replica(PUBLISHED["nvidia--Qwen3-235B-A22B-NVFP4"]))
    declared = declared_of(found.facts)
    assert declared is not None
    assert (declared.quant_method, declared.fmt) == ("modelopt", "NVFP4")
    assert rules_of(found) == []
    table = loader_table(found.facts)
    assert table.vllm is not None
    assert table.vllm.against_stored == 0
    assert table.transformers is not None
    assert table.transformers.refuses


def test_the_blocks_that_modelopt_declares_in_its_own_file_are_known() -> None:
    model = qwen_like()
    claim = model.config.pop("quantization_config")
    stated = {"quant_algo": "FP8_PB_WO", "exclude_modules": claim["modules_to_not_convert"]}
    model.others["hf_quant_config.json"] = {"quantization": stated}
    found = audited(model)
    assert rules_of(found) == []
    assert observed_of(found).quantized[0].block == (128, 128)


def test_a_method_that_is_not_understood_is_said_to_be() -> None:
    model = replica_of(PUBLISHED["Qwen--Qwen3-235B-A22B"])
    stated = {"quant_method": "awq", "bits": 4, "modules_to_not_convert": ["nothing.there"]}
    model.config["quantization_config"] = stated
    found = audited(model)
    declared = declared_of(found.facts)
    assert declared is not None
    assert not declared.understood
    assert found.findings == ()
    assert loader_table(found.facts).vllm is None


@pytest.mark.skipif(not SHARED.is_dir(), reason="the collection of public configs is not at hand")
@pytest.mark.parametrize("file", PUBLISHED)
def test_what_is_written_here_is_what_the_public_file_says(file: str) -> None:
    raw: dict[str, Any] = json.loads((SHARED / f"{file}.config.json").read_text())
    real = quantization_of(raw, file="config.json")
    written = quantization_of(PUBLISHED[file].config(), file="config.json")
    if real is None:
        assert written is None
        return
    assert written is not None
    assert sorted(written.skip.entries) == sorted(real.skip.entries)
    assert (written.method, written.fmt, written.scale_fmt) == (
        real.method, real.fmt, real.scale_fmt,
    )  # fmt: skip
    assert (written.skip_key, written.weight_block_size) == (
        real.skip_key, real.weight_block_size,
    )  # fmt: skip
    names = names_summary(real.skip.entries)
    assert sum(pattern.entries for pattern in names.patterns) == names.unique
