"""A loopback stand-in for modelscope.cn: its API, cut listings included, before the hub's CDN."""

from tests.modelscope.routes import PRIVATE_ORGANISATION
from tests.modelscope.server import ModelScope

__all__ = ["PRIVATE_ORGANISATION", "ModelScope"]
