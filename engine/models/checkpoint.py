"""Checkpoints as safetensors: the weights, and a card in the header that says what they are."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from engine.errors import AcesError
from engine.models.registry import Network, build


@dataclass(frozen=True)
class NetworkCard:
    """What a checkpoint is: enough to build it again and to know how it was trained.

    ``outputs``: 2 for a selection network, whose class 0 is "core"; None for one output a class of the dataset.
    """

    name: str
    architecture: str
    dataset: str
    training: str
    sigma_train: float
    outputs: int | None = None


@dataclass(frozen=True)
class Checkpoint:
    """A loaded network, its card, and the sha256 of its weights, which is its identity."""

    network: Network
    card: NetworkCard
    sha256: str


def weights_sha256(network: nn.Module) -> str:
    """Identity of a network: sha256 over its state dict (names, dtypes, shapes, bytes; normalisation included)."""
    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(f"{name}|{tensor.dtype}|{tuple(tensor.shape)}|".encode())
        digest.update(tensor.detach().cpu().reshape(-1).contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def save(path: Path, network: Network, card: NetworkCard) -> None:
    """Write weights and card to ``path``; an interrupted write leaves the old file as it was."""
    tensors = {name: t.detach().cpu().contiguous() for name, t in network.state_dict().items()}
    partial = path.with_suffix(".partial")
    save_file(tensors, partial, metadata={"aces": json.dumps(asdict(card))})
    partial.chmod(0o644)  # safetensors writes it for the owner alone
    partial.replace(path)


def load(path: Path) -> Checkpoint:
    """Read what ``save`` wrote. Raises ``AcesError`` for a file that is missing, damaged, or does not fit its card."""
    if not path.is_file():
        raise AcesError(f"no checkpoint at {path}")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (a handle, not a dict)
    except (SafetensorError, OSError) as error:
        raise AcesError(f"{path} is not a readable safetensors file: {error}") from error
    try:
        card = NetworkCard(**json.loads(metadata["aces"]))
    except (KeyError, TypeError, ValueError) as error:
        raise AcesError(f"{path} carries no network card; was it written by `python -m engine train`?") from error
    network = build(card.architecture, card.dataset, card.outputs)
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        first = str(error).splitlines()[1].strip() if "\n" in str(error) else str(error)
        raise AcesError(f"{path} does not fit {card.architecture} on {card.dataset}: {first}") from error
    return Checkpoint(network.eval(), card, weights_sha256(network))
