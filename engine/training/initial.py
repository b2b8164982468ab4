"""Fine-tuning: a training that starts from weights that exist."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from engine.errors import AcesError
from engine.models import ARCHITECTURES, Hints, Network, architecture, load
from engine.models.efficientnet import Enlarging
from engine.models.files import is_torchscript
from engine.weights import PUBLISHED


def start_from(network: Network, source: str) -> dict[str, str]:
    """Copy the weights of ``source`` into the body of ``network``, and say whose they are: name and sha256.

    ``source`` is a checkpoint, or the name of an architecture whose authors offer weights. A last layer with another
    number of outputs keeps its random weights; anything else that does not fit raises ``AcesError``.
    """
    hints = Hints(architecture=source) if source in ARCHITECTURES else Hints()
    path = Path(PUBLISHED if source in ARCHITECTURES else source)
    if path.is_file() and is_torchscript(path):
        raise AcesError(f"{source} is a TorchScript file: a training starts from weights alone; save its state dict")
    found = load(path, hints)
    body = _reading_alike(network.body, found.network.body)
    weights, own = found.network.body.state_dict(), body.state_dict()
    head = architecture(found.card.architecture).head
    for name in (head, head.replace("weight", "bias")):
        if name in own and name in weights and own[name].shape != weights[name].shape:
            weights[name] = own[name]
    try:
        body.load_state_dict(weights)
    except RuntimeError as error:
        raise AcesError(
            f"{source} is a {found.card.architecture}: its weights do not fit the network that is to start from them"
        ) from error
    return {"name": found.card.name, "sha256": found.sha256}


def _reading_alike(body: nn.Module, other: nn.Module) -> nn.Module:
    """The part of ``body`` that reads what ``other`` reads: one that enlarges starts from one that does not."""
    return body.net if isinstance(body, Enlarging) and not isinstance(other, Enlarging) else body
