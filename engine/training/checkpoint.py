"""The checkpoint of a run under way: Cohen et al.'s ``checkpoint.pth.tar``, with what resuming needs beside it.

``epoch``, ``arch``, ``state_dict`` (keys prefixed ``1.``: their model is a pair of normalisation and network) and
``optimizer`` are theirs; ``settings`` and ``history`` are ours. It is written whole after every epoch.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from engine.errors import AcesError
from engine.files import opened, unzipped
from engine.models import Network, files, signs
from engine.models.resnet import CifarResNet
from engine.output import make_folder, write_file
from engine.weights import MOST_BYTES


def keep(
    path: Path,
    network: Network,
    optimizer: torch.optim.Optimizer,
    settings: Mapping[str, Any],
    history: list[dict[str, Any]],
) -> None:
    """Write the state after ``len(history)`` epochs; a kill at any instant leaves this one or the one before."""
    state = {
        "epoch": len(history),
        "arch": arch(network, str(settings.get("architecture"))),
        "state_dict": {f"1.{name}": tensor for name, tensor in network.body.state_dict().items()},
        "optimizer": optimizer.state_dict(),
        "settings": dict(settings),
        "history": history,
    }
    buffer = io.BytesIO()
    torch.save(state, buffer)
    write_whole(path, buffer.getvalue())


def restore(
    path: Path, network: Network, optimizer: torch.optim.Optimizer, settings: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Load the state at ``path`` into ``network`` and ``optimizer``; returns the history, empty if there is no state.

    Raises ``AcesError`` if the file is damaged or belongs to a run with other settings.
    """
    if not path.exists():
        return []
    damaged = f"{path} is damaged; remove it to start this training again"
    try:
        state = files.unpickled(path, signs.head_of(path))
        _check_whole(path)
    except AcesError as error:
        raise AcesError(damaged) from error
    parts = ("settings", "state_dict", "optimizer")
    if not isinstance(state, dict) or not all(isinstance(state.get(part), dict) for part in parts):
        raise AcesError(damaged)
    kept = state["settings"]
    if kept != settings:
        differ = sorted(key for key in settings.keys() | kept.keys() if kept.get(key) != settings.get(key))
        raise AcesError(f"{path} belongs to a run with other {', '.join(differ)}; choose another name or folder")
    try:
        network.body.load_state_dict({name.removeprefix("1."): tensor for name, tensor in state["state_dict"].items()})
        optimizer.load_state_dict(state["optimizer"])
        history: list[dict[str, Any]] = list(state["history"])
    except (RuntimeError, LookupError, ValueError, TypeError, AttributeError) as error:  # settings that are no proof
        raise AcesError(damaged) from error
    return history


def _check_whole(path: Path) -> None:
    """Raises ``AcesError`` where an entry has another checksum: torch itself takes a flipped weight for one."""
    try:
        with opened(path, MOST_BYTES) as file, unzipped(file) as archive:
            wrong = archive.testzip()
    except Exception as error:  # whatever a damaged archive provokes
        raise AcesError(f"{path} is damaged") from error
    if wrong is not None:
        raise AcesError(f"{path} is damaged")


def arch(network: nn.Module, architecture: str) -> str:
    """The name under which Cohen et al.'s code knows an architecture: theirs say ``cifar_`` before a CIFAR ResNet."""
    return f"cifar_{architecture}" if isinstance(getattr(network, "body", None), CifarResNet) else architecture


def write_whole(path: Path, data: bytes) -> None:
    """Write a file, or leave it as it was, in a folder that is made if need be.

    Raises ``AcesError`` if the disk refuses; what was at ``path`` then stays.
    """
    try:
        make_folder(path.parent)
        write_file(path, data)
    except AcesError as error:
        raise AcesError(f"{error}; the last whole checkpoint is kept: make room and run this again") from error
