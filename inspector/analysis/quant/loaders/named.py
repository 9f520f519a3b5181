"""Whole names and `re:` entries, as compressed-tensors defines them: what three loaders share.

compressed-tensors 0.20 `utils/match.py`: `match_name`, `_match_class`. A module is quantized where
a group's target is its name, matches it, or is the class `Linear`, and the list does not have it.
Where there are no groups, as of models that are sparse alone, nothing is quantized (transformers
`CompressedTensorsConfig`; `get_scheme_dict` of vllm and sglang).
The library reads the list for classes too; vllm, sglang and lmdeploy read it for names alone.
"""

from inspector.analysis.quant.loaders.rule import LeavesOut
from inspector.config.quantization import EVERY_LINEAR, QuantConfig
from inspector.config.skip_list import SkipList, Syntax


def leaves_out_by_name(
    config: QuantConfig, *, suffixes: bool = False, classes: bool = False
) -> LeavesOut:
    """Whether a module is left out: by the list, or because no group is meant for it.

    `suffixes` says that an entry also means every module whose last components it names, `classes`
    that it may be the class `Linear`, which all are that are asked about. The
    experts of a layer are meant where their first would be: the loaders ask by its projections.
    """
    skip = SkipList(config.skip.entries, Syntax.NAME)
    targets = [target for group in config.groups for target in group.targets]
    every = EVERY_LINEAR in targets
    named = SkipList(targets, Syntax.NAME)
    plain = tuple(f".{entry}" for entry in skip.entries if not entry.startswith("re:"))

    def covered(name: str) -> bool:
        return bool(skip.covering(name)) or (suffixes and name.endswith(plain))

    if classes and EVERY_LINEAR in skip.entries:
        return lambda _: True

    def leaves_out(name: str) -> bool:
        asked = _projections(name)
        listed = all(covered(one) for one in asked)
        return listed or not (every or any(named.covering(one) for one in asked))

    return leaves_out


def _projections(name: str) -> list[str]:
    """The names under which loaders ask for a module."""
    if not name.endswith(".experts"):
        return [name]
    return [f"{name}.0.{part}" for part in ("gate_proj", "up_proj", "down_proj")]
