"""What the environment says of an object store: where it is, and whether requests are signed.

Names are those of each service's own tools where obstore knows them. Where none of them identifies
anyone, requests are not signed, as public buckets are read: obstore would ask a metadata service
for the identity of a cloud's machine, and elsewhere wait for one that is not there.
"""

import os
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from inspector.source.patience import Patience
from inspector.source.ranges import USER_AGENT


@dataclass(frozen=True, slots=True)
class _Service:
    """obstore's name for the endpoint; the variables that set it; those that identify someone."""

    endpoint: str
    endpoint_variables: tuple[str, ...]
    identity_variables: tuple[str, ...]
    identity_file: str | None = None


_SERVICES: Final = {
    "s3": _Service(
        "endpoint",
        ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"),
        (
            "AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_METADATA_ENDPOINT",
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        ),
    ),
    "gs": _Service(
        "base_url",
        ("GOOGLE_BASE_URL", "STORAGE_EMULATOR_HOST"),
        (
            "GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_BEARER_TOKEN", "GOOGLE_SERVICE_ACCOUNT",
            "GOOGLE_SERVICE_ACCOUNT_PATH", "GOOGLE_SERVICE_ACCOUNT_KEY",
        ),
        identity_file="~/.config/gcloud/application_default_credentials.json",
    ),
    "az": _Service(
        "endpoint",
        ("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"),
        (
            "AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_ACCESS_KEY", "AZURE_STORAGE_MASTER_KEY",
            "AZURE_STORAGE_SAS_KEY", "AZURE_STORAGE_SAS_TOKEN", "AZURE_STORAGE_TOKEN",
            "AZURE_STORAGE_CLIENT_ID", "AZURE_CLIENT_ID", "AZURE_FEDERATED_TOKEN_FILE",
            "AZURE_USE_AZURE_CLI", "AZURE_MSI_ENDPOINT", "AZURE_IDENTITY_ENDPOINT",
            "AZURE_STORAGE_USE_EMULATOR",
        ),
    ),
}  # fmt: skip


def store_options(scheme: str, patience: Patience) -> dict[str, Any]:
    """The keyword arguments of `obstore.store.from_url` for `s3`, `gs` or `az`."""
    service = _SERVICES[scheme]
    client: dict[str, Any] = {
        "read_timeout": timedelta(seconds=patience.read_seconds),
        "timeout": timedelta(minutes=10),
        "user_agent": USER_AGENT,
    }
    options: dict[str, Any] = {
        "client_options": client,
        "retry_config": {
            "max_retries": patience.attempts - 1,
            "retry_timeout": timedelta(seconds=patience.total_seconds),
        },
    }
    endpoint = _first_set(service.endpoint_variables)
    if endpoint:
        options[service.endpoint] = endpoint if "://" in endpoint else f"http://{endpoint}"
        client["allow_http"] = not endpoint.lower().startswith("https://")
    if not _is_identified(service):
        options["skip_signature"] = True
    return options


def identity_hint(scheme: str) -> str:
    """How to identify oneself, and whether one did."""
    service = _SERVICES[scheme]
    sent = "credentials were sent" if _is_identified(service) else "no credentials were sent"
    return f"set {service.identity_variables[0]} or another variable of its kind ({sent})"


def _is_identified(service: _Service) -> bool:
    if _first_set(service.identity_variables):
        return True
    return bool(service.identity_file and Path(service.identity_file).expanduser().exists())


def _first_set(variables: tuple[str, ...]) -> str:
    return next((os.environ[name] for name in variables if os.environ.get(name)), "")
