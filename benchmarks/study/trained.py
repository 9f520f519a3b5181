"""Small mixture-of-experts language models trained here: a parent, siblings, and real descendants.

Bytes of the standard library's sources, two layers, 16 experts of 96 neurons in 128 dimensions, two
of them active. Children are upcycled from the parent to 64 experts and trained on, so their drift
is that of training. The same seed gives the same models on one machine with one Python.
"""

import copy
import math
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.study.generator import Float32

HIDDEN: Final = 128
NEURONS: Final = 96
EXPERTS: Final = 16
LAYERS: Final = 2
_HEADS: Final = 4
_ACTIVE: Final = 2
_LENGTH: Final = 128
_BATCH: Final = 8
_CORPUS_BYTES: Final = 4_000_000


@dataclass(frozen=True, slots=True)
class Family:
    """`down_proj` of the models, each `[LAYERS, experts, HIDDEN, NEURONS]`, by what they are.

    Unrelated: `siblings` were drawn anew and trained in the parent's residual basis, `strangers`
    with nothing of the parent. Children: `upcycled` and `dropped` have 64 experts, of which e
    descends from e mod 16; in `dropped` half of the neurons were drawn anew before training went
    on. `losses` are of the last steps of each model, in bits a byte.
    """

    parent: Float32
    unrelated: Mapping[str, Float32]
    children: Mapping[str, Float32]
    losses: Mapping[str, float]


class Mixture(nn.Module):
    """SwiGLU experts, each with the tokens whose router chose it."""

    def __init__(self, experts: int) -> None:
        super().__init__()
        self.router = nn.Parameter(torch.randn(experts, HIDDEN) * HIDDEN**-0.5)
        self.gate = nn.Parameter(torch.randn(experts, NEURONS, HIDDEN) * HIDDEN**-0.5)
        self.up = nn.Parameter(torch.randn(experts, NEURONS, HIDDEN) * HIDDEN**-0.5)
        self.down = nn.Parameter(torch.randn(experts, HIDDEN, NEURONS) * NEURONS**-0.5)

    def forward(self, tokens: Tensor) -> Tensor:
        scores, chosen = torch.topk(tokens @ self.router.T, _ACTIVE, dim=1)
        weights = torch.softmax(scores, dim=1).view(-1, 1)
        order = torch.argsort(chosen.view(-1))
        sizes = torch.bincount(chosen.view(-1), minlength=len(self.router)).tolist()
        place = order // _ACTIVE
        experts = zip(
            torch.split(tokens[place], sizes),
            self.gate.unbind(),
            self.up.unbind(),
            self.down.unbind(),
            strict=True,
        )
        out = torch.cat(
            [(functional.silu(x @ gate.T) * (x @ up.T)) @ down.T for x, gate, up, down in experts]
        )
        return torch.zeros_like(tokens).index_add(0, place, out * weights[order])


class Block(nn.Module):
    """Causal attention and a mixture of experts, each after a norm and added to its input."""

    def __init__(self) -> None:
        super().__init__()
        self.norms = nn.ModuleList([nn.RMSNorm(HIDDEN), nn.RMSNorm(HIDDEN)])
        self.attention = nn.Linear(HIDDEN, 3 * HIDDEN, bias=False)
        self.out = nn.Linear(HIDDEN, HIDDEN, bias=False)
        self.mixture = Mixture(EXPERTS)

    def forward(self, hidden: Tensor) -> Tensor:
        batch, length, _ = hidden.shape
        parts = self.attention(self.norms[0](hidden)).view(batch, length, 3, _HEADS, -1)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        hidden = hidden + self.out(mixed.transpose(1, 2).reshape(hidden.shape))
        added: Tensor = self.mixture(self.norms[1](hidden).view(-1, HIDDEN))
        return hidden + added.view(hidden.shape)


class Model(nn.Module):
    """Predicts the next byte."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(256, HIDDEN)
        self.places = nn.Parameter(0.02 * torch.randn(_LENGTH, HIDDEN))
        self.layers = [Block() for _ in range(LAYERS)]
        self.blocks = nn.ModuleList(self.layers)
        self.norm = nn.RMSNorm(HIDDEN)
        self.head = nn.Linear(HIDDEN, 256, bias=False)

    def forward(self, codes: Tensor) -> Tensor:
        hidden = self.embed(codes) + self.places
        for block in self.layers:
            hidden = block(hidden)
        scores: Tensor = self.head(self.norm(hidden))
        return scores

    def mixtures(self) -> list[Mixture]:
        return [block.mixture for block in self.layers]

    def downs(self) -> Float32:
        return np.stack([mixture.down.detach().numpy().copy() for mixture in self.mixtures()])


def train_family(seed: int, steps: int) -> Family:
    """Train the parent for `steps` steps, and the others from it or beside it.

    Siblings and strangers get as many steps, children half as many.
    """
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    corpus = read_corpus()
    parent = Model()
    losses = {"parent": _train(parent, corpus, steps)}
    siblings = copy.deepcopy(parent)
    for block in siblings.layers:
        block.mixture = Mixture(EXPERTS)
    upcycled, dropped = _upcycled(parent), _upcycled(parent)
    for mixture in dropped.mixtures():
        _drop_half(mixture)
    unrelated = {"siblings": siblings, "strangers": Model()}
    children = {"upcycled": upcycled, "dropped": dropped}
    for name, model in (unrelated | children).items():
        losses[name] = _train(model, corpus, steps if name in unrelated else steps // 2)
    return Family(parent.downs(), _downs(unrelated), _downs(children), losses)


def _downs(models: Mapping[str, Model]) -> dict[str, Float32]:
    return {name: model.downs() for name, model in models.items()}


def read_corpus() -> Tensor:
    """The first 4 MB of the standard library's modules, in the order of their names."""
    folder = Path(sysconfig.get_path("stdlib"))
    text = b"".join(path.read_bytes() for path in sorted(folder.glob("*.py")))
    return torch.frombuffer(bytearray(text[:_CORPUS_BYTES]), dtype=torch.uint8).long()


def _train(model: Model, corpus: Tensor, steps: int) -> float:
    """Train with AdamW; the mean loss of the last tenth of the steps, NaN of none, in bits."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.01)
    losses = []
    for _ in range(steps):
        starts = torch.randint(len(corpus) - _LENGTH - 1, (_BATCH, 1))
        codes = corpus[starts + torch.arange(_LENGTH + 1)]
        loss = functional.cross_entropy(
            model(codes[:, :-1]).reshape(-1, 256), codes[:, 1:].reshape(-1)
        )
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(float(loss.detach()) / math.log(2))
    last = losses[-max(1, steps // 10) :]
    return sum(last) / len(last) if last else math.nan


def _upcycled(parent: Model) -> Model:
    """Four copies of every expert, one after another; router rows apart by a little noise."""
    child = copy.deepcopy(parent)
    for mixture in child.mixtures():
        for name in ("gate", "up", "down"):
            setattr(mixture, name, nn.Parameter(getattr(mixture, name).detach().repeat(4, 1, 1)))
        router = mixture.router.detach().repeat(4, 1)
        mixture.router = nn.Parameter(router + 0.02 * router.std() * torch.randn_like(router))
    return child


def _drop_half(mixture: Mixture) -> None:
    """Draw half of each expert's neurons anew, the same ones in the three matrices.

    Values are normal with the mean and deviation of those that were dropped (Drop-Upcycling).
    """
    experts = len(mixture.router)
    dropped = torch.argsort(torch.rand(experts, NEURONS), dim=1) < NEURONS // 2
    with torch.no_grad():
        for name in ("gate", "up", "down"):
            weights = getattr(mixture, name)
            view = weights.transpose(1, 2) if name == "down" else weights
            old = view[dropped]
            view[dropped] = old.mean() + old.std() * torch.randn_like(old)
