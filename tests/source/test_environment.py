"""What huggingface_hub makes of the same environment is what is right."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from inspector.source import environment

THEIRS = """
import json, os
from huggingface_hub import constants
print(json.dumps([
    constants.ENDPOINT, constants.HF_HUB_OFFLINE, os.path.normpath(constants.HF_ASSETS_CACHE),
    os.path.normpath(constants.HF_HUB_CACHE), constants.HF_HUB_DOWNLOAD_TIMEOUT,
]))
"""

ENVIRONMENTS: list[dict[str, str]] = [
    {},
    {"HF_HOME": "/hf"},
    {"HF_HOME": "~/hf"},
    {"HF_HOME": "$HERE/hf", "HERE": "/somewhere"},
    {"HF_HOME": "$HERE/hf", "HERE": "~/somewhere"},
    {"HF_HOME": "~nobody-of-this-name/hf"},
    {"XDG_CACHE_HOME": "/xdg"},
    {"XDG_CACHE_HOME": "~/xdg", "HF_HOME": "/hf"},
    {"HF_ASSETS_CACHE": "/assets", "HF_HUB_CACHE": "/hub", "HF_HOME": "/hf"},
    {"HF_ASSETS_CACHE": "~/assets/../other", "HF_HUB_CACHE": "$HOME/hub"},
    {"HUGGINGFACE_ASSETS_CACHE": "~/old", "HUGGINGFACE_HUB_CACHE": "/old-hub"},
    {"HUGGINGFACE_ASSETS_CACHE": "/old", "HF_ASSETS_CACHE": "/new", "HF_HOME": "/hf"},
    {"HUGGINGFACE_HUB_CACHE": "/old", "HF_HUB_CACHE": "/new"},
    {"HF_ENDPOINT": "https://mirror.example/"},
    {"HF_ENDPOINT": "http://127.0.0.1:8080"},
    {"HF_HUB_OFFLINE": "1"},
    {"HF_HUB_OFFLINE": "0"},
    {"HF_HUB_OFFLINE": "yes"},
    {"HF_HUB_OFFLINE": "true", "TRANSFORMERS_OFFLINE": "0"},
    {"HF_HUB_OFFLINE": "", "TRANSFORMERS_OFFLINE": "1"},
    {"HF_HUB_OFFLINE": "0", "TRANSFORMERS_OFFLINE": "1"},
    {"TRANSFORMERS_OFFLINE": "ON"},
    {"HF_HUB_OFFLINE": "nonsense"},
    {"HF_HUB_DOWNLOAD_TIMEOUT": "30"},
    {"HF_HUB_DOWNLOAD_TIMEOUT": "0"},
]


def shown(variables: dict[str, str]) -> str:
    return " ".join(f"{name}={value}" for name, value in variables.items()) or "nothing"


BATCH = """
import json, subprocess, sys
source, environments = json.load(sys.stdin)
running = [
    subprocess.Popen([sys.executable, "-c", source], env=one, stdout=subprocess.PIPE)
    for one in environments
]
print(json.dumps([json.loads(process.communicate()[0]) for process in running]))
"""


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[object]]:
    """What huggingface_hub reads out of each: it reads once, when it is imported."""
    home = str(tmp_path_factory.mktemp("home"))
    asked = [{"HOME": home, **one} for one in ENVIRONMENTS]
    done = subprocess.run(  # noqa: S603  our own script
        [sys.executable, "-c", BATCH], input=json.dumps([THEIRS, asked]),
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    found = json.loads(done.stdout)
    return {"HOME": [home]} | {
        shown(one): values for one, values in zip(ENVIRONMENTS, found, strict=True)
    }


@pytest.mark.parametrize("variables", ENVIRONMENTS, ids=shown)
def test_settings_are_those_of_huggingface_hub(
    variables: dict[str, str], theirs: dict[str, list[object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith(("HF_", "HUGGINGFACE", "XDG_"))]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("TRANSFORMERS_OFFLINE", raising=False)
    for name, value in {"HOME": str(theirs["HOME"][0]), **variables}.items():
        monkeypatch.setenv(name, value)
    ours = [
        environment.hub_endpoint(),
        environment.is_offline(),
        os.path.normpath(environment.assets_folder()),
        os.path.normpath(environment.hub_cache_folder()),
        environment.read_timeout_seconds(),
    ]
    assert ours == theirs[shown(variables)]


def test_paths_are_paths() -> None:
    assert isinstance(environment.assets_folder(), Path)
