"""The headers of the shards that hold a module, found by the beginnings of a few others.

The index of a large model takes more bytes than the module, and so do all its headers. Writers fill
a series of shards in the order of the names: the beginning of a header says on which side of it a
module lies. What is found is used where the headers themselves show it to be whole; else all of
them are read (`docs/design/2026-11-one-module-located.md`).
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from inspector.catalog import Catalog, CatalogBuilder
from inspector.format.header import LENGTH_PREFIX, Header, header_span, parse_header
from inspector.format.spans import Span
from inspector.layout.endings import Form
from inspector.layout.name_order import Key, Order, Sought, compare, is_in_order
from inspector.layout.pairing import Pairing
from inspector.layout.select import select
from inspector.source.base import Source
from inspector.source.pool import map_ordered

PROBE_BYTES: Final = 4096
"""The beginning of a header that is read: the names of some 25 tensors."""

PROBES_AT_A_TIME: Final = 8
"""Beginnings read side by side: of 184 shards, three rounds find one."""

WORTH_LOCATING: Final = 2 * PROBES_AT_A_TIME
"""Shards from which on a module is looked for; fewer headers are read at once."""

_MOST_HEADERS: Final = 8
"""Whole headers read for one module: a layer of a large model lies in three shards."""

_MOST_ROUNDS: Final = 6
"""Rounds of beginnings: enough for 100,000 shards, of which some say nothing."""

_FEWEST_MODULES: Final = 2
"""A module is known to be whole by another of its kind."""

_KEY: Final = re.compile(rb'"([^"\\]{1,1000})"\s*:\s*\{\s*"(?:dtype|shape|data_offsets)"')
"""A tensor's name in a header that is cut anywhere; one with an escape is passed over."""


class NotLocated(Exception):
    """The shards are in no order that leads to the module, or the module is not where it should be.

    Nothing is wrong with the checkpoint: all its headers have to be read.
    """


@dataclass(frozen=True, slots=True)
class _Probe:
    """The beginning of a shard: where its header lies, and its bytes so far."""

    header: Span
    text: bytes

    def names(self) -> list[str]:
        found = _KEY.findall(self.text)
        return [name.decode(errors="replace") for name in found]


class Locator:
    """Looks for modules in one series of shards; no beginning and no header is read twice."""

    def __init__(self, source: Source, shards: Sequence[str], *, jobs: int) -> None:
        self._source = source
        self._shards = sorted(shards)
        self._jobs = min(jobs, PROBES_AT_A_TIME)
        self._probes: dict[int, _Probe] = {}
        self._headers: dict[int, Header] = {}

    @property
    def is_worth_it(self) -> bool:
        """Whether there are so many shards that reading all headers takes longer."""
        return len(self._shards) >= WORTH_LOCATING

    @property
    def headers(self) -> list[Header]:
        """The headers that were read whole, in the order of the shards."""
        return [self._headers[number] for number in sorted(self._headers)]

    def find(self, targets: Sequence[str]) -> Catalog | None:
        """A catalog with all tensors of some modules, or None: all headers have to be read.

        Raises:
            SourceError: a shard cannot be read.
            FormatError: a header is malformed.
        """
        try:
            for target in targets:
                self.locate(target)
        except NotLocated:
            return None
        builder = CatalogBuilder()
        for header in self.headers:
            builder.add(header)
        catalog = builder.build()
        return catalog if all(_is_whole(catalog, target) for target in targets) else None

    def locate(self, target: str) -> None:
        """Read the headers of the shards that hold a module, on both sides as far as need be.

        Raises:
            NotLocated: as its docstring says.
            SourceError: a shard cannot be read.
            FormatError: a header is malformed.
        """
        sought = Sought.of(target)
        if sought is None:
            raise NotLocated
        left = right = self._narrow(sought)
        for _ in range(_MOST_HEADERS):
            for number in (left, right):
                self._read_header(number)
            keys = self._keys(sought)
            sides = [
                {
                    compare(key, sought.key, order)
                    for at in range(left, right + 1)
                    for key in keys[at]
                }
                for order in _orders(keys.values())
            ]
            if left > 0 and any(-1 not in found for found in sides):
                left -= 1
            elif right < len(self._shards) - 1 and any(1 not in found for found in sides):
                right += 1
            else:
                return self._check_siblings(sought)
        raise NotLocated

    def _check_siblings(self, sought: Sought) -> None:
        """Raise `NotLocated` where a module beside it has tensors that this one lacks."""
        found: dict[Key, set[str]] = {}
        for header in self.headers:
            for place in filter(None, map(sought.place, header.names)):
                if place.rest is not None:
                    found.setdefault(place.key, set()).add(place.rest)
        own = found.get(sought.key, set())
        if len(found) < _FEWEST_MODULES or any(rest - own for rest in found.values()):
            raise NotLocated

    def _narrow(self, sought: Sought) -> int:
        """A shard that holds the module, or is next to one that does."""
        low, high = -1, len(self._shards)
        for _ in range(_MOST_ROUNDS):
            gap = [number for number in range(max(low, 0), high) if number not in self._probes]
            if not gap:
                return max(low, 0)
            self._probe(_spread(gap))
            keys = self._keys(sought)
            order = _orders(keys.values())[0]
            for number, found in keys.items():
                sides = {
                    side
                    for key in found
                    if (side := compare(key, sought.key, order)) or len(key) == len(sought.key)
                }
                if sides == {-1}:
                    low = number
                elif sides == {1}:
                    high = min(high, number)
                elif sides:
                    return number
        raise NotLocated

    def _probe(self, numbers: Sequence[int]) -> None:
        found = map_ordered(self._read_beginning, numbers, jobs=self._jobs)
        self._probes |= zip(numbers, found, strict=True)

    def _read_beginning(self, number: int) -> _Probe:
        shard = self._shards[number]
        size = self._source.size(shard)
        beginning = self._source.read(shard, Span(0, min(size, PROBE_BYTES)))
        prefix = beginning[: LENGTH_PREFIX.stop]
        header = header_span(prefix, shard=shard, file_size=size)
        return _Probe(header, beginning[header.start : header.stop])

    def _read_header(self, number: int) -> None:
        """A whole header: what its beginning lacks is read, and nothing else."""
        if number in self._headers:
            return
        if number not in self._probes:
            self._probe([number])
        shard, probe = self._shards[number], self._probes[number]
        rest = Span(probe.header.start + len(probe.text), probe.header.stop)
        text = probe.text + self._source.read(shard, rest)
        size = self._source.size(shard)
        self._headers[number] = parse_header(text, shard=shard, file_size=size)

    def _keys(self, sought: Sought) -> dict[int, list[Key]]:
        """What is known of each shard's place, by its number, in the order of the shards.

        Raises:
            NotLocated: there is such a name in two places of the model, or none of its kind.
        """
        known = {number: probe.names() for number, probe in self._probes.items()}
        known |= {number: header.names for number, header in self._headers.items()}
        places = {
            number: [place for name in names if (place := sought.place(name)) is not None]
            for number, names in sorted(known.items())
        }
        if len({place.before for found in places.values() for place in found}) != 1:
            raise NotLocated
        return {number: [place.key for place in found] for number, found in places.items()}


_CODE_BITS: Final = 8
"""Numbers of no more bits are codes: they mean nothing without what stands beside them."""


def _is_whole(catalog: Catalog, target: str) -> bool:
    """Whether a module is there, and the scale of each of its codes."""
    rows = select(catalog.names, target)
    pairing = Pairing(catalog.names)
    weights = rows[pairing.is_weight()[rows]]
    return len(rows) > 0 and all(
        pairing.parts_of(row)
        for row, tensor in zip(weights.tolist(), catalog.rows(weights), strict=True)
        if tensor.dtype.bits <= _CODE_BITS or pairing.form(row) is not Form.PLAIN
    )


def _orders(keys: Iterable[Sequence[Key]]) -> list[Order]:
    """The orders that the shards may be in, by what is known of them."""
    shards = list(keys)
    orders = [order for order in Order if is_in_order(shards, order)]
    if not orders:
        raise NotLocated
    return orders


def _spread(numbers: Sequence[int]) -> list[int]:
    """At most `PROBES_AT_A_TIME` of some numbers, the outermost among them.

    >>> _spread(range(100))
    [0, 14, 28, 42, 56, 70, 84, 99]
    >>> _spread([4, 5])
    [4, 5]
    """
    if len(numbers) <= PROBES_AT_A_TIME:
        return list(numbers)
    last = len(numbers) - 1
    return [numbers[step * last // (PROBES_AT_A_TIME - 1)] for step in range(PROBES_AT_A_TIME)]
