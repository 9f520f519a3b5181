"""transformers 5.24: what it takes as quantized.

`quantizers/quantizers_utils.py` `should_convert_module`: an entry is a regular expression from the
start to the end of a component, or a suffix of any letters. `quantizers/base.py`
`get_modules_to_not_convert`: without a list, the head is left out; with one, only what it names.
`integrations/finegrained_fp8.py` `replace_with_fp8_linear`: linear layers, and modules named
`experts` as a whole. `integrations/mxfp4.py`: only the experts of gpt-oss.
`quantizers/quantizer_compressed_tensors.py` leaves the matching to compressed-tensors.
`quantizers/auto.py` knows no modelopt. Routers of mixture models are no linear layers.
"""

from typing import Final

from inspector.analysis.quant.loaders.named import leaves_out_by_name
from inspector.analysis.quant.loaders.rule import EXPERTS, WITH_HEAD, WITHOUT_HEAD, Refusal, Rule
from inspector.config.quantization import Dialect, QuantConfig
from inspector.config.skip_list import SkipList, Syntax

VERSION: Final = "5.24.0"


def rule(config: QuantConfig) -> Rule | Refusal:
    """How transformers reads a config."""
    skip = SkipList(config.skip.entries, Syntax.REGEX)
    match config.dialect:
        case Dialect.FP8 | Dialect.FBGEMM_FP8:
            asks = WITH_HEAD if config.skip_key is not None else WITHOUT_HEAD
            return Rule(asks, lambda name: bool(skip.covering(name)))
        case Dialect.MXFP4:
            return Rule(EXPERTS, lambda name: bool(skip.covering(name)))
        case Dialect.COMPRESSED_TENSORS:
            return Rule(WITH_HEAD, leaves_out_by_name(config, classes=True))
        case _:
            return Refusal(f"quant_method {config.method} is not one that it knows")
