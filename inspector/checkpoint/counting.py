"""The parameters of a checkpoint, as far as its headers and its config say."""

from inspector.analysis.params.report import ModelParams, model_params
from inspector.analysis.params.terms import Conventions
from inspector.analysis.report import Model
from inspector.catalog import Catalog
from inspector.checkpoint import Checkpoint
from inspector.errors import ObjectNotFound


def params_of(
    checkpoint: Checkpoint,
    conventions: Conventions,
    *,
    context: int | None = None,
    config_only: bool = False,
) -> ModelParams:
    """The parameters of a checkpoint; with `config_only` no header is read.

    Raises:
        ObjectNotFound: there are neither weights nor a config.
        ConfigError: there are no weights, and the config does not say enough.
    """
    catalog = None if config_only else catalog_if_any(checkpoint)
    model = model_without_weights(checkpoint) if catalog is None else checkpoint.model
    if catalog is None and checkpoint.config is None:
        raise ObjectNotFound(f"{model.location}: no config.json")
    return model_params(model, checkpoint.config, catalog, conventions, context=context)


def catalog_if_any(checkpoint: Checkpoint) -> Catalog | None:
    """The tensors, or None where there is a config and no weights."""
    try:
        return checkpoint.catalog
    except ObjectNotFound:
        if checkpoint.config is None:
            raise
        return None


def model_without_weights(checkpoint: Checkpoint) -> Model:
    """A checkpoint of which no header is read, as a report names it."""
    source = checkpoint.source
    return Model(location=source.location, kind=source.kind, commit=source.commit, files=0)
