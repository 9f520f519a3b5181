"""How sources may be reached: whether at all, with what patience, and what is remembered."""

from dataclasses import dataclass, field

from inspector.errors import SourceError
from inspector.source.patience import Patience
from inspector.source.shelf import Shelf

OFFLINE_HINT = "leave out --offline and HF_HUB_OFFLINE to ask the network"


@dataclass(frozen=True, slots=True)
class Access:
    """What a command lets its sources do. `shelf` None remembers nothing and recalls nothing."""

    offline: bool = False
    patience: Patience = field(default_factory=Patience)
    shelf: Shelf | None = None
    _said: list[str] = field(default_factory=list, init=False, repr=False, compare=False)

    def say_once(self, line: str) -> None:
        """Tell of what went wrong on the side, the first time."""
        if not self._said:
            self._said.append(line)
            self.patience.say(line)

    def check_online(self, what: str) -> None:
        """Raise where the network may not be asked for `what`.

        Raises:
            SourceError: offline.
        """
        if self.offline:
            raise SourceError(f"{what}: offline, and this is not in the cache", hint=OFFLINE_HINT)
