"""What fields of a config mean, in plain words, for those that a reader may not know.

Each with where it is defined. A field that is not here is shown all the same.
"""

from types import MappingProxyType
from typing import Final, NamedTuple


class Note(NamedTuple):
    """A sentence, and the paper or code it is taken from."""

    text: str
    source: str


_MLA: Final = "DeepSeek-V2, arXiv 2405.04434"
_V3: Final = "DeepSeek-V3, arXiv 2412.19437"
_FOPE: Final = Note(
    "FoPE: each rotary frequency becomes a learned mix of frequencies, and those too slow to "
    "complete a turn in training are dropped",
    "Fourier Position Embedding, arXiv 2412.17739",
)
_MROPE: Final = Note(
    "MRoPE: rotary frequencies are shared out among time, height and width of an image or video; "
    "interleaved, so that each axis has fast and slow ones",
    "Qwen3-VL, arXiv 2511.21631",
)
_INDEXER: Final = Note(
    "a small attention chooses which tokens the large one reads", "DeepSeek-V3.2-Exp report"
)

NOTES: Final = MappingProxyType(
    {
        "text.num_experts": Note(
            "feed-forward networks in each sparse layer; all are stored, few are used by a token",
            "Mixtral of Experts, arXiv 2401.04088",
        ),
        "text.num_experts_per_tok": Note(
            "experts that each token is sent to", "Mixtral of Experts, arXiv 2401.04088"
        ),
        "text.n_shared_experts": Note(
            "experts that every token passes, beside those it is sent to",
            "DeepSeekMoE, arXiv 2401.06066",
        ),
        "text.router_n_groups": Note(
            "the router's experts in groups: Intern-S1-Pro takes the same number of experts from "
            "each, DeepSeek chooses some groups first",
            "modeling_interns1_pro.py of Intern-S1-Pro; " + _MLA,
        ),
        "text.norm_topk_prob": Note(
            "weights of the chosen experts are made to sum to 1",
            "transformers, Qwen3MoeTopKRouter",
        ),
        "text.num_key_value_heads": Note(
            "query heads share keys and values in groups; the cache shrinks by the ratio",
            "GQA, arXiv 2305.13245",
        ),
        "text.kv_lora_rank": Note(
            "keys and values come from one cached vector of this width", _MLA
        ),
        "text.num_nextn_predict_layers": Note(
            "modules that predict further tokens; not needed to answer", _V3
        ),
        "text.index_topk": _INDEXER,
        "text.index_n_heads": _INDEXER,
        "text.rope.fope_init_factor": _FOPE,
        "text.rope.fope_sep_head": Note(
            "FoPE: each head of keys has its own mix", "modeling_rope_utils.py of Intern-S1-Pro"
        ),
        "text.rope.num_inv_freq": _FOPE,
        "text.rope.mrope_interleaved": _MROPE,
        "text.rope.mrope_section": _MROPE,
        "vision.deepstack_visual_indexes": Note(
            "DeepStack: features of these vision layers are added into the first text layers",
            "DeepStack, arXiv 2406.04334; Qwen3-VL, arXiv 2511.21631",
        ),
        "vision.spatial_merge_size": Note(
            "so many by so many patches become one token", "Qwen2-VL, arXiv 2409.12191"
        ),
        "quantization.scale_fmt": Note(
            "a claim about the scales: powers of two, stored in 8 bits; headers say what is stored",
            "OCP Microscaling Formats 1.0",
        ),
        "quantization.weight_block_size": Note("rows and columns that share one scale", _V3),
        "quantization.modules_to_not_convert": Note(
            "modules left in the model's own dtype; entries are counted, and shown as patterns",
            "transformers, FineGrainedFP8Config",
        ),
    }
)
"""Path of a config row -> its note."""
