"""The two published models as sides of a comparison: their configs, and catalogs of full scale."""

from functools import cache
from typing import Any

from inspector.analysis.compare.aligned import aligned
from inspector.analysis.compare.files import SideFiles
from inspector.analysis.compare.report import Comparison, Side, Weighed, compare_sides
from inspector.analysis.params.terms import Conventions
from inspector.analysis.report import Model
from inspector.layout.weights import WeightBook
from tests import intern_s1_pro, qwen3_vl
from tests.analysis.params.counting import catalog_of, config_of

NO_FILES = SideFiles({}, {})


def side(
    location: str,
    config: dict[str, Any] | None,
    tensors: list[tuple[str, str, Any]] | None = None,
    files: SideFiles = NO_FILES,
) -> Side:
    parsed = None if config is None else config_of(config)
    catalog = None if tensors is None else catalog_of(tensors)
    return Side(
        model=Model(location=location, kind="hub", commit=None, files=0),
        config=parsed,
        catalog=catalog,
        aligned=None if catalog is None else aligned(WeightBook(catalog, parsed)),
        files=files,
    )


def compared(model: Side, ref: Side) -> Comparison:
    return compare_sides(model, ref, Weighed(), Conventions())


def intern_config() -> dict[str, Any]:
    """The published config of Intern-S1-Pro, with the fields that decide no shape."""
    config: dict[str, Any] = intern_s1_pro.config(intern_s1_pro.Architecture())
    text = {
        "attention_dropout": 0.0, "bos_token_id": 151643, "eos_token_id": 151645,
        "initializer_range": 0.02, "use_cache": True,
    }  # fmt: skip
    classes = {
        "AutoConfig": "configuration_interns1_pro.InternS1ProConfig",
        "AutoModel": "modeling_interns1_pro.InternS1ProModel",
        "AutoModelForCausalLM": "modeling_interns1_pro.InternS1ProForConditionalGeneration",
    }
    return {
        **config,
        "text_config": {**config["text_config"], **text},
        "vision_config": {**config["vision_config"], "initializer_range": 0.02},
        "transformers_version": "4.57.0.dev0",
        "auto_map": classes,
    }


@cache
def intern() -> Side:
    specs = intern_s1_pro.tensor_specs(intern_s1_pro.Architecture())
    tensors = [(t.name, t.dtype, t.shape) for t in specs]
    return side("internlm/Intern-S1-Pro", intern_config(), tensors)


@cache
def qwen() -> Side:
    tensors = [(t.name, t.dtype, t.shape) for t in qwen3_vl.tensor_specs()]
    return side("Qwen/Qwen3-VL-235B-A22B-Instruct", qwen3_vl.config(), tensors)


@cache
def both() -> Comparison:
    return compared(intern(), qwen())
