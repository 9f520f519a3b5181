"""What kind of module a weight belongs to, and whether loaders would quantize such a thing. Pure.

Told from the name and the number of axes; nothing here looks at dtypes.
"""

from enum import StrEnum
from types import MappingProxyType
from typing import Final

from inspector.catalog.names import Template

_ROUTERS: Final = frozenset({"gate", "router", "shared_expert_gate"})
_HEADS: Final = frozenset({"lm_head", "head", "output"})
_EMBEDDINGS: Final = ("embed", "embed_tokens", "embedding", "embeddings", "tok_embeddings")
_EXPERTS: Final = "experts"


class ModuleKind(StrEnum):
    """What a module is to a loader that quantizes.

    A linear layer or experts are quantized unless a list says no. A head is asked about by some;
    one inside a layer, of multi-token prediction, is not.
    Routers, embeddings, vectors (norms, biases) and all else are built unquantized.
    """

    LINEAR = "linear"
    EXPERTS = "experts"
    HEAD = "head"
    ROUTER = "router"
    EMBEDDING = "embedding"
    VECTOR = "vector"
    OTHER = "other"


QUANTIZABLE: Final = frozenset({ModuleKind.LINEAR, ModuleKind.EXPERTS})


CLASS_KINDS: Final = MappingProxyType(
    {
        "Linear": frozenset(
            {ModuleKind.LINEAR, ModuleKind.EXPERTS, ModuleKind.HEAD, ModuleKind.ROUTER}
        ),
        "Embedding": frozenset({ModuleKind.EMBEDDING}),
    }
)
"""torch's class of a module -> the kinds that are of it, where names tell. Heads inside layers of
multi-token prediction, of kind `OTHER`, are not told from convolutions."""


def module_kind(weight: Template, axes: int) -> ModuleKind:
    """The kind of the module that a weight belongs to.

    Args:
        weight: of the weight's own name, with or without `.weight`.
        axes: of the matrix that it holds; of a fused tensor, of all its experts.

    >>> from inspector.catalog.names import split_name
    >>> str(module_kind(split_name("model.layers.0.mlp.gate.weight")[0], 2))
    'router'
    """
    parts = weight.components()
    named = parts[-1] == "weight"
    last = parts[-2] if named and len(parts) > 1 else parts[-1]
    if _EXPERTS in parts and axes >= 2:
        return ModuleKind.EXPERTS
    if axes < 2:
        return ModuleKind.VECTOR
    if last in _ROUTERS:
        return ModuleKind.ROUTER
    if last in _HEADS:
        return ModuleKind.OTHER if weight.holes else ModuleKind.HEAD
    if last is not None and last.endswith(_EMBEDDINGS):
        return ModuleKind.EMBEDDING
    return ModuleKind.LINEAR if axes == 2 and named else ModuleKind.OTHER


def loaded_as(name: str) -> str:
    """The module that a loader decides on: the experts of a layer are one, whatever stores them.

    >>> loaded_as("model.layers.3.mlp.experts.200.up_proj"), loaded_as("lm_head")
    ('model.layers.3.mlp.experts', 'lm_head')
    """
    before, dot, _ = name.partition(f".{_EXPERTS}.")
    return f"{before}.{_EXPERTS}" if dot else name
