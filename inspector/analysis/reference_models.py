"""The models on the reference side of a match, and what stage 0 said of each."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from inspector.analysis.expert_family import CombinedSide, Numbering
from inspector.analysis.expert_sides import ExpertSide
from inspector.analysis.hidden_basis import StageZero
from inspector.analysis.layer_pairing import Origin
from inspector.analysis.mapped_layers import MappedExperts
from inspector.decode.numeric import Float32


@dataclass(frozen=True)
class ReferenceModels:
    """One model or several; `stage_zero` is by model, empty where nothing was asked.

    Then layers of the same number are compared, in a basis that was not tested.
    """

    numbering: Numbering
    stage_zero: tuple[StageZero, ...]

    @property
    def bytes(self) -> int:
        """What stage 0 takes of all of them."""
        return sum(one.basis.bytes for one in self.stage_zero)

    @property
    def without_basis(self) -> tuple[int, ...]:
        """The models whose hidden basis was looked for and not seen to be that of the target."""
        return tuple(n for n, one in enumerate(self.stage_zero) if one.basis.is_missing)

    def mapped(self, reference: ExpertSide) -> ExpertSide:
        """The reference, its layers numbered as those of the model that they are compared with."""
        maps = [one.layer_map for one in self.stage_zero]
        if all(one.origin == Origin.SAME_NUMBERS for one in maps):
            return reference
        if isinstance(reference, CombinedSide):
            return reference.mapped([one.numbers for one in maps])
        return MappedExperts(reference, maps[0].numbers)

    @cached_property
    def _layers(self) -> tuple[dict[int, int], ...]:
        """By model, layer of the target -> its own layer."""
        return tuple(one.layer_map.numbers for one in self.stage_zero)

    def layer(self, layer: int, model: int = 0) -> int:
        """The number that a model itself has for what `layer` is compared with."""
        return self._layers[model].get(layer, layer) if self._layers else layer

    def origins(self, layer: int) -> frozenset[tuple[int, int]]:
        """The layers that `layer` is compared with, as (model, its own number)."""
        return frozenset(
            (model, self.layer(layer, model)) for model in range(len(self.numbering.offsets))
        )

    def experts_of(self, experts: Sequence[int], models: Iterable[int]) -> list[int]:
        """Those experts of a layer, by their numbers among all, that are of some models."""
        wanted = frozenset(models)
        return [expert for expert in experts if self.numbering.model(expert) in wanted]

    def gains(self, layer: int, model: int) -> tuple[Float32 | None, Float32 | None]:
        """The gains before the MLP, of the target and of its layer there; None where unknown."""
        found = self.stage_zero[model].gains if self.stage_zero else {}
        return found.get(layer, (None, None))
