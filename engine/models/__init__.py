"""Networks: a registry of frozen cards, one builder, and one ``load`` for every checkpoint format of the field.

A network here is ``Sequential(normalize, body)``: callers pass plain images in [0, 1], so noise
is added, and radii are measured, in pixel units.

>>> build("resnet8", "fashion_mnist").body.fc.out_features
10
"""

from engine.models.checkpoint import Checkpoint, Hints, NetworkCard, load, save, weights_sha256
from engine.models.network import Constants, Network, Normalize, Normalizer, read_normalizer
from engine.models.probe import ProbeResult, probe
from engine.models.registry import ARCHITECTURES, Architecture, architecture, assemble, build

__all__ = [
    "ARCHITECTURES",
    "Architecture",
    "Checkpoint",
    "Constants",
    "Hints",
    "Network",
    "NetworkCard",
    "Normalize",
    "Normalizer",
    "ProbeResult",
    "architecture",
    "assemble",
    "build",
    "load",
    "probe",
    "read_normalizer",
    "save",
    "weights_sha256",
]
