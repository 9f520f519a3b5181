"""Gate and up of experts whose `down_proj` says nothing: a relative's, or dead as well?"""

from collections.abc import Iterable
from dataclasses import replace

from inspector.analysis.expert_evidence import Evidence
from inspector.analysis.expert_places import look_at_places, place_cost
from inspector.analysis.expert_question import Question
from inspector.analysis.expert_sampler import Sampler
from inspector.analysis.expert_states import ExpertState, Key
from inspector.layout.families import Projection


def look_at_gates(
    sampler: Sampler, question: Question, states: dict[Key, ExpertState], models: Iterable[int]
) -> list[Evidence]:
    """Rows of gate and up of open and of dead experts, against references of `models`.

    Where the budget does not reach so far only dead ones are read; where it does not reach these
    either they are open again, as one is degenerate only if gate and up are dead too.
    """
    evidence: list[Evidence] = []
    for layer in question.layers:
        own = {expert: states[layer, expert] for expert in question.experts[layer].tolist()}
        dead = [expert for expert, state in own.items() if state.dead]
        open_ = [expert for expert, state in own.items() if state.is_open]
        numbers = question.models.experts_of(sampler.reference.experts(layer), models)
        tested = sorted([*dead, *open_]) if numbers and _are_other_rows(question, layer) else []
        for asked, against in ((tested, numbers), (dead, [])):
            if asked and sampler.affords(place_cost(sampler, layer, asked, against)):
                alive, found = look_at_places(sampler, layer, asked, against)
                evidence.extend(found)
                for expert in alive:
                    own[expert].dead = False
                break
        else:
            for expert in dead:
                states[layer, expert] = replace(own[expert], dead=False, out_of_budget=True)
    return evidence


def _are_other_rows(question: Question, layer: int) -> bool:
    """Whether rows of gate and up are another matrix's than those that were looked at."""
    reading = question.request.reading
    return reading.matrix is Projection.DOWN and not question.is_self(layer)
