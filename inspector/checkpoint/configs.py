"""The configs of a checkpoint: read once, as far as they can be read; the rest is a finding."""

from dataclasses import replace
from functools import cached_property

from inspector.config import CONFIG_NAME, MAX_CONFIG_BYTES, ModelConfig, parse_config
from inspector.config.fields import Malformed
from inspector.config.quantization import MODELOPT_NAME, QuantConfig, parse_modelopt
from inspector.config.rules import malformed_field, unreadable_config
from inspector.errors import ConfigError, ObjectNotFound, Problem
from inspector.layout.declared import Declared, declared_by
from inspector.source.base import Source, read_file


class Configs:
    """config.json, and what stands in its place; what is malformed goes to `problems`."""

    def __init__(self, source: Source, problems: list[Problem]) -> None:
        self._source = source
        self._problems = problems
        self._malformed: list[Malformed] = []
        self._unreadable: list[str] = []

    @cached_property
    def config(self) -> ModelConfig | None:
        """config.json, None where there is none.

        Raises:
            ConfigError: no JSON object.
        """
        text = self._read(CONFIG_NAME)
        if text is None:
            return None
        try:
            found = parse_config(text, file=CONFIG_NAME)
        except ConfigError as error:
            raise ConfigError(f"{self._source.location}/{error}") from error
        self._note(found.malformed)
        return found

    @cached_property
    def claim(self) -> QuantConfig | None:
        """What is claimed of the quantization, in config.json or beside it; None where nothing is.

        A file that cannot be read counts as absent.
        """
        readable = self._readable
        if readable is not None and readable.quantization is not None:
            return readable.quantization
        text = self._read(MODELOPT_NAME)
        if text is None:
            return None
        try:
            found = parse_modelopt(text, file=MODELOPT_NAME)
        except ConfigError as error:
            self._note_unreadable(MODELOPT_NAME, error)
            return None
        self._note(found.malformed)
        return found

    @cached_property
    def stated(self) -> tuple[ModelConfig | None, Declared]:
        """What is stated of layouts. A file that cannot be read counts as absent."""
        config = self._readable
        is_claimed = config is not None and config.quantization is not None
        claim = self.claim if is_claimed or MODELOPT_NAME in self._source.files() else None
        malformed = (*self._unreadable, *map(str, self._malformed))
        return config, replace(declared_by(claim), malformed=malformed)

    @cached_property
    def _readable(self) -> ModelConfig | None:
        """config.json, None where there is none that can be read."""
        try:
            return self.config
        except ConfigError as error:
            self._note_unreadable(CONFIG_NAME, error)
            return None

    def _note_unreadable(self, file: str, error: ConfigError) -> None:
        self._unreadable.append(str(error))
        self._problems.append(unreadable_config(file, error))

    def _note(self, malformed: tuple[Malformed, ...]) -> None:
        self._malformed += malformed
        self._problems += map(malformed_field, malformed)

    def _read(self, name: str) -> bytes | None:
        try:
            return read_file(self._source, name, max_bytes=MAX_CONFIG_BYTES)
        except ObjectNotFound:
            return None
