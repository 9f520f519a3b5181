"""The stand-in's two origins: those of the test hub, with another API at the first."""

from pathlib import Path
from typing import Any

from tests.hub.server import Answers, Hub
from tests.modelscope.routes import MOST_LISTED, Site


class ModelScope(Hub):
    """Serves `root/{organisation}/{model}/` like modelscope.cn, while its context lasts.

    It takes what `Hub` takes, and the number of entries at which a listing ends. The token opens
    the models of the organisation `private`, as a bearer or as the cookie `m_session_id`.
    """

    def __init__(self, root: Path, *, most_listed: int = MOST_LISTED, **more: Any) -> None:
        super().__init__(root, **more)
        self._most_listed = most_listed

    def _site(self) -> Answers:
        return Site(
            self._terms, self._cdn, self._faults, cdn_origin=self.cdn,
            most_listed=self._most_listed,
        )  # fmt: skip
