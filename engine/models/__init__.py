"""Networks by name: a registry of frozen cards, one builder, and safetensors checkpoints.

A network here is ``Sequential(normalize, body)``: callers pass plain images in [0, 1], so noise
is added, and radii are measured, in pixel units.

>>> build("resnet8", "fashion_mnist").body.fc.out_features
10
"""

from engine.models.checkpoint import Checkpoint, NetworkCard, load, save, weights_sha256
from engine.models.registry import ARCHITECTURES, Architecture, Network, Normalize, build

__all__ = [
    "ARCHITECTURES",
    "Architecture",
    "Checkpoint",
    "Network",
    "NetworkCard",
    "Normalize",
    "build",
    "load",
    "save",
    "weights_sha256",
]
