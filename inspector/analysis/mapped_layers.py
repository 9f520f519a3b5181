"""A reference whose layers have the numbers of the layers that are compared with them."""

from collections.abc import Sequence

from inspector.analysis.expert_sides import ExpertSide, Scales
from inspector.decode.numeric import Float32
from inspector.format.dtypes import Dtype
from inspector.layout.families import Projection
from inspector.layout.layer_map import LayerMap


class MappedExperts:
    """Layer l of this side is layer `layer_map[l]` of the one inside; others are not there."""

    def __init__(self, inner: ExpertSide, layer_map: LayerMap) -> None:
        self._inner = inner
        self._layers = dict(layer_map)

    @property
    def layers(self) -> tuple[int, ...]:
        return tuple(self._layers)

    @property
    def total_bytes(self) -> int:
        return self._inner.total_bytes

    def experts(self, layer: int) -> tuple[int, ...]:
        return self._inner.experts(self._layers[layer])

    def shape(self, layer: int, projection: Projection) -> tuple[int, int]:
        return self._inner.shape(self._layers[layer], projection)

    def dtype(self, layer: int, projection: Projection) -> Dtype:
        return self._inner.dtype(self._layers[layer], projection)

    def read(
        self, layer: int, experts: Sequence[int], projection: Projection, rows: Sequence[int]
    ) -> Float32:
        return self._inner.read(self._layers[layer], experts, projection, rows)

    def read_cost(
        self, layer: int, experts: Sequence[int], projection: Projection, rows: Sequence[int]
    ) -> int:
        return self._inner.read_cost(self._layers[layer], experts, projection, rows)

    def read_requests(
        self, layer: int, experts: Sequence[int], projection: Projection, rows: Sequence[int]
    ) -> int:
        return self._inner.read_requests(self._layers[layer], experts, projection, rows)

    def scales(
        self, layer: int, experts: Sequence[int], projection: Projection, rows: Sequence[int]
    ) -> Scales | None:
        return self._inner.scales(self._layers[layer], experts, projection, rows)

    def scale_cost(
        self, layer: int, experts: Sequence[int], projection: Projection, rows: Sequence[int]
    ) -> int:
        return self._inner.scale_cost(self._layers[layer], experts, projection, rows)
