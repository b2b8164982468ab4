"""Formats of checkpoints: a card each, in the order in which a file is asked for them.

An entry of ``FORMATS`` is all that another format needs: how a file is told to be of it, and what its networks have in
common that the files do not say. What a user says goes before what a card says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from engine.models import paths
from engine.models.network import Normalizer
from engine.models.registry import Architecture

Rule = Callable[[Path, Architecture], tuple[Normalizer, str]]  # a normaliser, and why it is believed to be that


def of_architecture(_: Path, architecture: Architecture) -> tuple[Normalizer, str]:
    """The normaliser that the architecture's authors put in front."""
    return architecture.normalizer, f"that of {architecture.name}"


def of_path(path: Path, architecture: Architecture) -> tuple[Normalizer, str]:
    """Cohen et al.'s, or SmoothAdv's where the path says so; constants of the architecture's own go before."""
    return paths.normalizer_of(path) if architecture.mean is None else of_architecture(path, architecture)


def nothing(_: Path, __: Architecture) -> tuple[Normalizer, str]:
    """MACER trained without."""
    return Normalizer.NONE, "MACER's networks read images in [0, 1] as they are"


@dataclass(frozen=True)
class CheckpointFormat:
    """A format, ``label`` for people: the entry ``key`` of its files that holds the weights, "" for the file itself.

    ``training`` is the method by which all its networks were trained, if it is one. ``normalizer`` says what stands in
    front. ``aliases`` maps an architecture that the weights look like to the one that this format means by it.
    """

    label: str
    key: str = ""
    training: str | None = None
    normalizer: Rule = of_architecture
    aliases: Mapping[str, str] = field(default_factory=dict)


FORMATS: dict[str, CheckpointFormat] = {
    found.key: found
    for found in (
        CheckpointFormat("MACER", "net", "macer", nothing, {"resnet110": "resnet110-macer"}),
        CheckpointFormat("Cohen-style", "state_dict", normalizer=of_path),
        CheckpointFormat("LaNet-style", "model_state_dict"),
    )
}
OWN = CheckpointFormat("ACES Explorer")
PLAIN = CheckpointFormat("state dict")
SAFETENSORS = CheckpointFormat("safetensors")
DENOISED = CheckpointFormat("denoised")
