"""A loopback stand-in for huggingface.co: a hub that redirects, and a CDN that serves the bytes."""

from tests.hub.faults import Fault
from tests.hub.server import COMMIT, Hub, Request

__all__ = ["COMMIT", "Fault", "Hub", "Request"]
