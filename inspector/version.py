"""The version, and nothing else: packaging and `--version` read it without imports."""

__version__ = "0.1.0"
