"""A loopback stand-in for huggingface.co: a hub that redirects, and a CDN that serves the bytes."""

from tests.hub.api_faults import OTHER_COMMIT, ApiFault
from tests.hub.faults import Fault
from tests.hub.pauses import Pause, early_requests
from tests.hub.server import COMMIT, Hub, Request

__all__ = [
    "COMMIT",
    "OTHER_COMMIT",
    "ApiFault",
    "Fault",
    "Hub",
    "Pause",
    "Request",
    "early_requests",
]
