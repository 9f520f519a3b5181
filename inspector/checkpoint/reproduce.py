"""The command that gives a document of expert matching again."""

from collections.abc import Sequence

import msgspec

from inspector.analysis.expert_question import MatchRequest
from inspector.analysis.expert_report import SimilarityDocument
from inspector.analysis.reproduce import similarity_command
from inspector.checkpoint import Checkpoint


def reproducible(
    document: SimilarityDocument,
    checkpoints: Sequence[Checkpoint],
    request: MatchRequest,
    *,
    layer_map: str | None,
    verify: str | None = None,
) -> SimilarityDocument:
    """The document with its command: both commits, the seed and all that its numbers depend on.

    Args:
        document: what was found.
        checkpoints: the model, and what it was compared with.
        request: what was asked.
        layer_map: as it was typed.
        verify: as it was typed.
    """
    target, *others = checkpoints
    command = similarity_command(
        target.pinned_name,
        [one.pinned_name for one in others],
        seed=request.seed,
        options={
            "--layers": request.layers,
            "--experts": request.experts,
            "--layer-map": layer_map,
            "--max-bytes": target.policy.max_bytes,
            "--verify": verify,
            "--heat-map": request.drawn_layer,
        },
    )
    return msgspec.structs.replace(document, reproduce=command)
