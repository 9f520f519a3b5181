"""How sources may be reached: whether at all, with what patience, and what is remembered."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from inspector.errors import OutputError, SourceError
from inspector.source.patience import Patience
from inspector.source.shelf import Kept, Label, Shelf

OFFLINE_HINT = "leave out --offline and HF_HUB_OFFLINE to ask the network"


@dataclass(frozen=True, slots=True)
class Access:
    """What a command lets its sources do. `shelf` None remembers nothing and recalls nothing."""

    offline: bool = False
    patience: Patience = field(default_factory=Patience)
    shelf: Shelf | None = None
    _said: set[str] = field(default_factory=set, init=False, repr=False, compare=False)

    def recall(self, label: Label) -> Kept | None:
        """What an earlier run kept under a label, or None."""
        return None if self.shelf is None else self.shelf.load(label)

    def keep(self, label: Label, content: bytes) -> None:
        """Keep something for the next run. Where that cannot be, say so, the first time."""
        if self.shelf is None:
            return
        try:
            self.shelf.save(label, content)
        except OutputError as error:
            self.say_once("shelf", f"warning: nothing is kept for the next run: {error}")

    def say_offline(self, location: str, how: str, saved_at: float | None = None) -> None:
        """Tell, once, where an answer about a checkpoint comes from while the network is not asked.

        Args:
            location: the checkpoint.
            how: what is known of it.
            saved_at: when it was read, in seconds since 1970.
        """
        when = (
            "" if saved_at is None else f", read {datetime.fromtimestamp(saved_at, UTC):%F %R} UTC"
        )
        self.say_once(location, f"{location}: offline: {how}{when}")

    def check_online(self, what: str) -> None:
        """Raise where the network may not be asked for `what`.

        Raises:
            SourceError: offline.
        """
        if self.offline:
            raise SourceError(f"{what}: offline, and this is not in the cache", hint=OFFLINE_HINT)

    def say_once(self, topic: str, line: str) -> None:
        """Tell of something, the first time that it comes up."""
        if topic not in self._said:
            self._said.add(topic)
            self.patience.say(line)
