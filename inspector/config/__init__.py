"""config.json: what a checkpoint's configuration states, typed where it is computed with. Pure."""

from inspector.config.model import CONFIG_NAME, MAX_CONFIG_BYTES, ModelConfig, parse_config

__all__ = ["CONFIG_NAME", "MAX_CONFIG_BYTES", "ModelConfig", "parse_config"]
