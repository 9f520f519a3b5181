"""Command line: `python -m tests.hub ROOT`, and options for port, latency, token and endpoint."""

import argparse
import sys
import threading
from pathlib import Path

from tests.hub.server import Hub


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m tests.hub")
    parser.add_argument("root", type=Path)
    parser.add_argument("--port", type=int, default=0, help="of the hub; the CDN takes the next")
    parser.add_argument("--latency", type=float, default=0.0, metavar="MS")
    parser.add_argument("--token", help="opens the repositories of the organisation `gated`")
    parser.add_argument("--one-request", action="store_true", help="offer safetensors-metadata")
    parsed = parser.parse_args()
    with Hub(
        parsed.root,
        latency=parsed.latency / 1000,
        token=parsed.token,
        metadata_endpoint=parsed.one_request,
        port=parsed.port,
    ) as hub:
        sys.stdout.write(f"HF_ENDPOINT={hub.endpoint}\n")
        sys.stdout.flush()
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()
