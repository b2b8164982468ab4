"""SAMPLEWNOISE: an image -> draws, each the network's class and selection score under one noise vector.

Noise is added in pixel space, to images in [0, 1], before normalisation and without clamping. It comes in fixed
chunks, each from its own generator, so that the draws of an image depend on nothing but (network as run, seed,
index, stage, chunk): not on sharding, order or interruption. Nothing here loops over draws or thresholds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from enum import StrEnum

import numpy as np
import torch
from torch import Tensor

from engine.draws import Draws
from engine.inference import FrozenNetwork

CHUNK = 250  # draws of one generator, and one batch of the network
BLOCK = 10 * CHUNK  # draws that are stored at a time: what an interruption can cost

Mechanism = Callable[[Tensor], Tensor]


class Stage(StrEnum):
    """The n0 draws that guess and the n draws that estimate come from streams of their own: none is shared."""

    GUESS = "guess"
    ESTIMATE = "estimate"


def chunk_generator(seed: int, index: int, stage: Stage, chunk: int, device: torch.device) -> torch.Generator:
    """The generator of one chunk, seeded by a hash of everything that names it."""
    name = f"aces-noise|{seed}|{index}|{stage.value}|{chunk}"
    value = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little") >> 1
    return torch.Generator(device).manual_seed(value)


def blocks(draws: int) -> Iterator[int]:
    """The numbers of the blocks that hold the first ``draws`` draws of a stream."""
    return iter(range(-(-draws // BLOCK)))


def sample_block(
    network: FrozenNetwork,
    image: Tensor,
    sigma: float,
    mechanism: Mechanism,
    *,
    seed: int,
    index: int,
    stage: Stage,
    block: int,
    draws: int = BLOCK,
) -> Draws:
    """The first ``draws`` draws of one block of an image's stream, in stream order.

    ``image`` float32 [C, H, W] in [0, 1], on the network's device; ``sigma`` in pixel units.
    """
    chunks_in_block = BLOCK // CHUNK
    classes, scores = [], []
    for chunk in range(block * chunks_in_block, block * chunks_in_block + -(-draws // CHUNK)):
        generator = chunk_generator(seed, index, stage, chunk, network.device)
        x = torch.randn((CHUNK, *image.shape), generator=generator, device=network.device)
        logits = network(x.mul_(sigma).add_(image))
        classes.append(logits.argmax(1).to(torch.int32))
        scores.append(mechanism(logits))
    whole = Draws(
        torch.cat(classes).cpu().numpy().astype(np.uint16),
        torch.cat(scores).cpu().numpy(),
    )
    return whole.first(draws)
