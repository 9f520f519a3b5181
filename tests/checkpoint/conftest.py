from tests.source.serving import connect

__all__ = ["connect"]
