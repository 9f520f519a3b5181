"""A checkpoint's tensors as one table, and what can be asked of it. Pure."""

from inspector.catalog.table import Catalog, CatalogBuilder, TensorRow

__all__ = ["Catalog", "CatalogBuilder", "TensorRow"]
