"""Every rule of the audit is found where its fault is planted, and nothing else is."""

import random

import numpy as np
import pytest

from fuzz.audit import judge, report
from inspector.analysis.quant.rules import AUDIT_RULES
from inspector.analysis.quant.summary import observed_of
from tests.analysis.quant.faults import FAULTS
from tests.analysis.quant.planting import PLANTS, Site, draw
from tests.quantized import audited, qwen_like, rules_of
from tests.schemes import SCHEMES, stored_by
from tests.wrapped import WRAPS


def test_every_rule_has_a_planted_fault() -> None:
    assert set(FAULTS) == set(AUDIT_RULES)


@pytest.mark.parametrize("rounding", ["ceil", "round", "floor"])
def test_a_sound_checkpoint_has_no_findings(rounding: str) -> None:
    assert rules_of(audited(qwen_like(rounding=rounding))) == []


@pytest.mark.parametrize("rule", sorted(FAULTS))
def test_a_planted_fault_is_one_finding_of_its_rule(rule: str) -> None:
    model = qwen_like()
    FAULTS[rule](model)
    found = audited(model)
    assert rules_of(found) == [rule]
    (finding,) = found.findings
    assert finding.severity == AUDIT_RULES[rule][0]
    assert finding.message
    assert finding.expected
    assert finding.found
    assert finding.expected != finding.found


def test_all_faults_together_are_each_found_once() -> None:
    model = qwen_like()
    for plant in FAULTS.values():
        plant(model)
    assert rules_of(audited(model)) == sorted(FAULTS)


@pytest.mark.parametrize("seed", range(6))
def test_codes_clipped_in_one_weight_are_found_whatever_its_blocks_end_at(seed: int) -> None:
    """Of seed 2 six of the weight's 16 blocks end at 448: alone they would pass for `floor`."""
    model = qwen_like(layers=4, experts=1, seed=seed)
    FAULTS["saturated_codes"](model)
    found = audited(model)
    assert rules_of(found) == ["saturated_codes"]
    assert found.findings[0].where.tensor == "model.layers.3.self_attn.q_proj"


@pytest.mark.parametrize("rule", sorted(PLANTS))
def test_a_fault_in_a_drawn_scheme_is_found_and_nothing_else(rule: str) -> None:
    found = draw(f"alone: {rule}", rules=[rule])
    assert found.found == (rule,), found


@pytest.mark.parametrize("number", range(12))
def test_drawn_faults_in_a_drawn_scheme_are_found_and_nothing_else(number: int) -> None:
    """`python -m fuzz.audit` draws as many as are asked for."""
    found = draw(f"0:{number}")
    assert found.is_right, found


@pytest.mark.parametrize("number", range(8))
def test_a_sound_checkpoint_of_a_drawn_scheme_has_no_findings(number: int) -> None:
    found = draw(f"sound: {number}", rules=[])
    assert found.is_right, found


@pytest.mark.parametrize("name", [one for one in SCHEMES if SCHEMES[one].wraps in WRAPS])
def test_a_scheme_of_another_producer_is_judged_as_the_others_are(name: str) -> None:
    """Of MLX every sound model was said to be clipped, of bitsandbytes an orphan was two."""
    rng = np.random.default_rng(0)
    sound = audited(stored_by(SCHEMES[name], rng).model)
    assert rules_of(sound) == []
    looked = observed_of(sound).looked_into
    assert looked.with_codes == looked.weights == 30
    assert looked.bitmasks == SCHEMES[name].is_sparse
    for rule in ("orphan_scale", "saturated_codes", "scale_not_finite"):
        stored = stored_by(SCHEMES[name], np.random.default_rng(1))
        module = "model.layers.1.self_attn.v_proj"
        PLANTS[rule][0](Site(stored, module, random.Random(rule)))
        found = audited(stored.model)
        assert rules_of(found) == [rule]
        (finding,) = found.findings
        assert finding.where.tensor
        assert finding.where.tensor.startswith(module)


@pytest.mark.parametrize("part", ["gate_up_proj", "down_proj"])
def test_a_scale_of_packed_experts_that_fits_in_no_order_of_axes_is_found(part: str) -> None:
    """Without it nothing tells the order, and the tensor was left out without a word."""
    stored = stored_by(SCHEMES["NVFP4 fused of modelopt"], np.random.default_rng(0))
    assert rules_of(audited(stored.model)) == []
    name = f"model.layers.1.mlp.experts.{part}"
    scale = stored.model.tensors[f"{name}_weight_scale"]
    stored.model.tensors[f"{name}_weight_scale"] = scale[:, :, :-1]
    found = audited(stored.model)
    assert [(one.rule, one.where.tensor) for one in found.findings] == [("scale_shape", name)]


def test_every_rule_can_be_planted_in_some_scheme() -> None:
    assert set(PLANTS) == set(AUDIT_RULES)
    for rule, (_, applies) in PLANTS.items():
        assert any(map(applies, SCHEMES.values())), rule


def test_a_tally_says_what_was_judged_wrongly() -> None:
    tally = judge("0:0")
    tally.add(judge("0:1"))
    lines = list(report(tally, 1.0))
    assert tally.failures == []
    assert any(line.startswith("judged wrongly") and line.endswith(" 0") for line in lines)
