"""Which tensors go with which weight, for every tensor of a checkpoint at once. Pure.

Names are compared once a template and joined by their numbers: 144,760 weights and as many scales
are a few array operations. A scale may lie in any shard.
"""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from inspector.catalog.names import NameColumns, Rows, Template
from inspector.layout.endings import (
    ACTIVATION_ENDINGS,
    SCALE_ENDINGS,
    SCALE_PARTS,
    Form,
    Part,
    companion_of,
    holder_form,
)

NOBODY: Final = -1


class Pairing:
    """The weights of a catalog, and what stands beside each.

    `owners` is `[n]`: for a scale, or another tensor beside a weight, the row of that weight; else
    `NOBODY`. `parts` maps a part to `[n]` rows: that part of each weight, or `NOBODY`.
    """

    def __init__(self, names: NameColumns) -> None:
        self._names = names
        holders = [holder_form(template.pieces[-1]) for template in names.templates]
        self.forms: tuple[Form, ...] = tuple(form for _, form in holders)
        self.weight_templates: tuple[Template, ...] = tuple(
            Template((*template.pieces[:-1], last))
            for template, (last, _) in zip(names.templates, holders, strict=True)
        )
        self.owners = np.full(len(names), NOBODY, dtype=np.int64)
        self._nobody = np.full(len(names), NOBODY, dtype=np.int64)
        self._parts = dict.fromkeys(Part, self._nobody)
        self._by_template = _rows_by_template(names)
        for weight_id, part, companion_id in _template_pairs(
            names.templates, self.weight_templates
        ):
            self._join(weight_id, part, companion_id)

    @property
    def parts(self) -> Mapping[Part, Rows]:
        return self._parts

    @cached_property
    def scales(self) -> Rows:
        """`[n]`: the row of each weight's scale, whatever its name makes of it, or `NOBODY`."""
        found = self._nobody
        for part in SCALE_PARTS:
            found = np.where(found == NOBODY, self._parts[part], found)
        return found

    def parts_of(self, row: int) -> dict[Part, int]:
        """The rows of what stands beside one weight."""
        return {part: int(rows[row]) for part, rows in self._parts.items() if rows[row] != NOBODY}

    def is_weight(self) -> npt.NDArray[np.bool_]:
        """`[n]`: which tensors are weights or other parameters, with codes or without."""
        names = self._names
        beside = np.array([_is_beside(template) for template in names.templates], dtype=np.bool_)
        weights: npt.NDArray[np.bool_] = (self.owners == NOBODY) & ~beside[names.template_ids]
        return weights

    def orphans(self) -> Rows:
        """Scales, and other tensors that stand beside a weight, whose weight is not there."""
        names = self._names
        of_weight = np.array(
            [
                _is_beside(template) and not template.pieces[-1].endswith(ACTIVATION_ENDINGS)
                for template in names.templates
            ],
            dtype=np.bool_,
        )
        return np.flatnonzero(of_weight[names.template_ids] & (self.owners == NOBODY))

    def weight_name(self, row: int) -> str:
        """The weight's own name: `M.weight` for the tensor `M.weight_packed`."""
        template = self.weight_templates[int(self._names.template_ids[row])]
        return template.fill(self._names.numbers[row].tolist())

    def form(self, row: int) -> Form:
        return self.forms[int(self._names.template_ids[row])]

    def _join(self, weight_id: int, part: Part, companion_id: int) -> None:
        """Pair the tensors of two templates that have the same numbers."""
        weights, companions = self._by_template[weight_id], self._by_template[companion_id]
        holes = self._names.templates[weight_id].holes
        left = self._names.numbers[weights][:, :holes]
        right = self._names.numbers[companions][:, :holes]
        if not np.array_equal(left, right):
            both, inverse = np.unique(np.concatenate([left, right]), axis=0, return_inverse=True)
            place = np.full(len(both), NOBODY, dtype=np.int64)
            place[inverse[: len(weights)][::-1]] = np.arange(len(weights))[::-1]
            found = place[inverse[len(weights) :]]
            weights, companions = weights[found[found != NOBODY]], companions[found != NOBODY]
        self.owners[companions] = weights
        if self._parts[part] is self._nobody:
            self._parts[part] = self._nobody.copy()
        column = self._parts[part]
        free = column[weights] == NOBODY
        column[weights[free]] = companions[free]


def _is_beside(template: Template) -> bool:
    return template.pieces[-1].endswith(SCALE_ENDINGS)


def _rows_by_template(names: NameColumns) -> list[Rows]:
    order = np.argsort(names.template_ids, kind="stable")
    edges = np.searchsorted(names.template_ids[order], np.arange(len(names.templates) + 1))
    return [order[edges[at] : edges[at + 1]] for at in range(len(names.templates))]


def _template_pairs(
    templates: tuple[Template, ...], weight_templates: tuple[Template, ...]
) -> Iterator[tuple[int, Part, int]]:
    """Templates of weights and of what stands beside them, in the order of the endings."""
    holders: dict[Template, list[int]] = {}
    for template_id, weight in enumerate(weight_templates):
        holders.setdefault(weight, []).append(template_id)
    found = []
    for companion_id, template in enumerate(templates):
        for rank, last, part in companion_of(template.pieces[-1]):
            same = holders.get(Template((*template.pieces[:-1], last)), ())
            found += [(rank, one, part, companion_id) for one in same if one != companion_id]
    for _, weight_id, part, companion_id in sorted(found, key=lambda one: one[0]):
        yield weight_id, part, companion_id
