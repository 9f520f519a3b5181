"""The stand-in's two origins: those of the test hub, with another API at the first."""

from tests.hub.server import Answers, Hub
from tests.modelscope.routes import Site


class ModelScope(Hub):
    """Serves `root/{organisation}/{model}/` like modelscope.cn, while its context lasts.

    It takes what `Hub` takes. The token opens the models of the organisation `private`, as a bearer
    or as the cookie `m_session_id`.
    """

    def _site(self) -> Answers:
        return Site(self._terms, self._cdn, self._faults, cdn_origin=self.cdn)
