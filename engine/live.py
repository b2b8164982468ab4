"""One image, certified now: a pair of networks, loaded once, and its draws as they come.

pair = open_pair(certify_path, core_path)
evidence = pair.begin(tensor)
for evidence in pair.draw(tensor, plan, seed): ...      # break when you like
certificate = issue(evidence, plan, subject, pair.networks, seed)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor

from engine.certificate import Networks
from engine.datasets import DatasetCard, card
from engine.draws import BLOCK, CHUNK, Draws, concatenate
from engine.errors import AcesError
from engine.evidence import Evidence
from engine.inference import FrozenNetwork, Layout, check_network, freeze
from engine.models import Checkpoint, Network, load
from engine.pictures import Pixels
from engine.plan import Plan
from engine.runs import NetworkInfo
from engine.sampling import Source, Stage, sample, sample_block, segments
from engine.scores import entropy

PIECE = 1_000  # draws that are reported at a time: the first look


@dataclass(frozen=True, eq=False)
class Pair:
    """A certification network, frozen as it is sampled, and a core network, which answers in float32.

    ``network``: the certification network with gradients, for attacks.
    """

    networks: Networks
    dataset: DatasetCard
    certify: FrozenNetwork
    core: FrozenNetwork
    network: Network

    def core_answer(self, tensor: Pixels) -> int:
        """What the core network says of the exact tensor uint8 [C, H, W]."""
        return self.core_at(self.pixels(tensor))

    def core_at(self, pixels: Tensor) -> int:
        """The same of ``pixels`` float32 [C, H, W] in [0, 1]."""
        return int(self.core(pixels[None].to(self.core.device)).argmax(1).item())

    def draw(self, tensor: Pixels, plan: Plan, seed: int, index: int) -> Iterator[tuple[Stage, Draws]]:
        """The n0 draws that guess, then the n that estimate, in the order of their streams, ``PIECE`` at a time."""
        pixels = self.pixels(tensor)
        source = Source(self.certify, entropy, plan.sigma, seed, lambda _: pixels)
        for stage, n in ((Stage.GUESS, plan.n0), (Stage.ESTIMATE, plan.n)):
            drawn = (draws for _, draws in sample(source, segments(index, stage, 0, n)))
            while piece := list(islice(drawn, PIECE // CHUNK)):
                yield stage, concatenate(piece)

    def evidence(self, tensor: Pixels, plan: Plan, seed: int, index: int) -> Iterator[Evidence]:
        """The evidence as it grows, after every piece that estimates."""
        found = Evidence.none(self.dataset.num_classes, self.core_answer(tensor))
        for stage, draws in self.draw(tensor, plan, seed, index):
            found = found.with_draws(stage.value, draws)
            if stage is Stage.ESTIMATE:
                yield found

    def block(
        self, pixels: Tensor, sigma: float, seed: int, index: int, stage: Stage, block: int, draws: int = BLOCK
    ) -> Draws:
        """The first ``draws`` draws of one block, scored by entropy. ``pixels`` as ``pixels`` gives them."""
        return sample_block(
            self.certify, pixels, sigma, entropy, seed=seed, index=index, stage=stage, block=block, draws=draws
        )

    def pixels(self, tensor: Pixels) -> Tensor:
        """The tensor as float32 [C, H, W] in [0, 1]."""
        if tensor.shape != self.dataset.shape:
            raise AcesError(f"an image of shape {tensor.shape}; the networks read {self.dataset.shape}")
        return torch.from_numpy(tensor).float() / 255


def open_pair(
    certify: Path,
    core: Path,
    precision: str = "float32",
    device: str = "cpu",
    sha256: tuple[str | None, str | None] = (None, None),
) -> Pair:
    """Load and freeze two checkpoints. Raises ``AcesError`` where one is missing or they are of different datasets,
    or where their weights are not those of the ``sha256`` that is expected.
    """
    certification, natural = _load(certify, sha256[0]), _load(core, sha256[1])
    if certification.card.dataset != natural.card.dataset:
        raise AcesError(
            f"{certify.name} is for {certification.card.dataset}, {core.name} for {natural.card.dataset}: "
            f"choose two networks of one dataset"
        )
    dataset = card(certification.card.dataset)
    frozen = freeze(certification.network, precision, device)
    alone = freeze(natural.network, "float32", device, Layout(batch=1))
    for network in (frozen, alone):
        check_network(network, torch.full(dataset.shape, 0.5), dataset.num_classes)
    networks = Networks(
        dataset.name, dataset.classes, _info(certification), _info(natural), precision, frozen.device.type
    )
    return Pair(networks, dataset, frozen, alone, certification.network)


def _load(path: Path, sha256: str | None) -> Checkpoint:
    checkpoint = load(path)
    if sha256 not in (None, checkpoint.sha256):
        raise AcesError(f"{path} holds other weights than the run of that name was sampled with")
    if checkpoint.transform is not None:
        raise AcesError(f"{path} sees pictures at a size of its own; choose two networks that read one tensor")
    return checkpoint


def _info(checkpoint: Checkpoint) -> NetworkInfo:
    card = checkpoint.card
    return NetworkInfo(card.name, checkpoint.sha256, card.training, card.sigma_train)
