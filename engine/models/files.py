"""Reading weights out of a file, whatever its format, without ever running what it holds.

Whoever wrote the file is a stranger: its names, sizes and types are believed as little as its code.

| file | top level | weights under |
|---|---|---|
| this project's | safetensors with a card in the header | the file |
| Cohen, Salman, Consistency, ACES, and what follows them | dict: epoch, arch, state_dict, optimizer | state_dict |
| MACER | dict: net, epoch | net |
| LaNet | dict: epoch, model_state_dict, optimizer_state_dict | model_state_dict |
| EfficientNet, torchvision | the state dict itself; also as safetensors | the file |
| Lightning, timm, and any training loop | dict | any key, or one of several: ``engine.models.nests`` |
| TorchScript | an archive with code | nothing that can be read alone: see ``engine.models.own`` |
"""

from __future__ import annotations

import json
import pickle  # nosec B403 # its error alone; torch reads, by weights_only
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from engine.errors import AcesError
from engine.files import opened, reason
from engine.models import formats, signs
from engine.models.archive import archive
from engine.models.formats import CheckpointFormat
from engine.models.inert import beside_weights
from engine.models.kinds import fault_of, shown
from engine.models.nests import Level, Nest, choose, levels, nests
from engine.weights import MOST_BYTES

MOST_HEADER = 16_000_000  # bytes that name the tensors of safetensors


@dataclass(frozen=True, eq=False)
class Contents:
    """What a file holds: weights by name as they stand there, and what it says about them.

    ``arch`` as the file spells it; ``card`` the JSON of this project's own checkpoints.
    """

    format: CheckpointFormat
    weights: Mapping[str, Tensor]
    arch: str | None = None
    card: Mapping[str, Any] | None = None

    @cached_property
    def levels(self) -> tuple[Level, ...]:
        """The weights as they are, then without one wrapper's name after the other."""
        return levels(self.weights)


def read(path: Path, key: str | None = None) -> Contents:
    """Read a checkpoint. ``key``: which set of weights, where a file holds several.

    Raises ``AcesError`` for a file that is missing, damaged, unsafe, or holds no weights, and for several sets of them
    without a key that says which.
    """
    if path.is_dir():
        raise AcesError(f"{path} is a folder; name the checkpoint in it")
    if not path.is_file():
        raise AcesError(f"no checkpoint at {path}")
    with opened(path, MOST_BYTES) as file:
        if not file.read(1):
            raise AcesError(f"{path} is empty")
    head = signs.head_of(path)
    if (wrong := signs.mistaken(path, head)) is not None:
        raise AcesError(f"{path} is {wrong}")
    called = path.suffix == ".safetensors" and not head.startswith((signs.ZIP, signs.PICKLE))
    if called or signs.is_safetensors(head):
        return _read_safetensors(path, key)
    return _read_torch(path, head, key)


def is_torchscript(path: Path) -> bool:
    """Whether a file is a TorchScript archive, whatever it is called: it brings its own code."""
    found = archive(path)
    return found is not None and found.is_torchscript


def _check_archive(path: Path) -> None:
    """Refuse what holds more than weights, or unpacks to more than it is: torch compresses nothing."""
    found = archive(path)
    if found is None:
        return
    if found.is_torchscript:
        raise AcesError(f"{path} is a TorchScript file: it holds code, not weights alone")
    if found.is_export:
        raise AcesError(f"{path} is an archive of torch.export, which is not read: save the state dict, or TorchScript")
    if found.declared > path.stat().st_size:
        raise AcesError(f"{path} is refused: it would unpack to {found.declared:,} bytes, and torch compresses nothing")


def _read_safetensors(path: Path, key: str | None) -> Contents:
    _check_header(path)
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (a handle, not a dict)
    except (SafetensorError, OSError) as error:
        raise AcesError(f"{path} is not a readable safetensors file: {reason(error)}") from error
    if "aces" not in metadata:
        return _contents(path, formats.SAFETENSORS, choose(path, nests(tensors), key) if tensors else Nest((), {}))
    if key is not None:
        raise AcesError(f"{path} holds one set of weights, under a card: leave `weights` out")
    _check_tensors(path, tensors)
    return Contents(formats.OWN, tensors, card=_card(path, metadata["aces"]))


def _check_header(path: Path) -> None:
    """Refuse a header that is too long to be one, before it is parsed."""
    with opened(path) as file:
        length = int.from_bytes(file.read(8), "little")
        if MOST_HEADER < length <= path.stat().st_size:
            raise AcesError(f"{path} is refused: {length:,} bytes of names before its weights")


def _card(path: Path, text: str) -> Mapping[str, Any]:
    try:
        card = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise AcesError(f"{path} carries a damaged network card: {str(error)[:100]}") from error
    if not isinstance(card, dict):
        raise AcesError(f"{path} carries a damaged network card: it is a {type(card).__name__}, not an object")
    return card


def _read_torch(path: Path, head: bytes, key: str | None) -> Contents:
    data = unpickled(path, head)
    if not isinstance(data, Mapping):
        raise AcesError(f"{path} holds a {type(data).__name__}, not weights by name")
    found = nests(data)
    if not found:
        raise AcesError(f"{path} holds no weights by name ({_why_none(data)})")
    nest = choose(path, found, key)
    return _contents(path, _format_of(nest), nest)


def _format_of(nest: Nest) -> CheckpointFormat:
    """The format whose key the weights lie under; else a state dict, with where it lies."""
    if not nest.keys:
        return formats.PLAIN
    known = formats.FORMATS.get(nest.keys[-1])
    return known or replace(formats.PLAIN, label=f"{formats.PLAIN.label} under {shown(nest.name)}")


def _why_none(data: Mapping[Any, Any]) -> str:
    """What stands where weights should be."""
    while data:
        inside = [value for value in data.values() if isinstance(value, Mapping)]
        wrong = [key for key, value in data.items() if not isinstance(key, str) or not isinstance(value, Tensor)]
        if len(inside) != 1 or any(isinstance(value, Tensor) for value in data.values()):
            return f"{_quoted(wrong[0])} is no tensor"
        data = inside[0]
    return "it is empty"


def _quoted(key: object) -> str:
    return repr(shown(key)) if isinstance(key, str) else ascii(key)[:60]


def unpickled(path: Path, head: bytes) -> Any:
    """What a file of ``torch.save`` that begins with ``head`` holds: tensors and plain containers.

    The one place that calls ``torch.load``. Raises ``AcesError`` for everything else, and nothing of it is run.
    """
    _check_archive(path)
    try:
        with warnings.catch_warnings(), beside_weights(), opened(path, MOST_BYTES) as file:  # torch may go by a name
            warnings.simplefilter("ignore")  # torch remarks on pickle protocols
            # weights_only: tensors and plain containers; a pickle that names anything else is refused, nothing runs.
            return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        written_with = signs.protocol(path, head)
        if "Unsupported operand" in str(error) and written_with not in (None, signs.PROTOCOL):
            raise AcesError(
                f"{path} is refused: it is pickled with protocol {written_with}, which cannot be read without running "
                f"it; save its state dict again with torch.save, whose own protocol is {signs.PROTOCOL}"
            ) from error
        named = re.search(r"GLOBAL:? (?:GLOBAL )?([\w.]+)", str(error))
        what = f"it names {named[1]}" if named else "it is damaged, or holds more than tensors and plain containers"
        raise AcesError(
            f"{path} is refused: {what}, and nothing but weights is loaded from a pickle; save its state dict alone"
        ) from error
    except Exception as error:  # whatever else a damaged or hostile pickle provokes
        raise AcesError(f"{path} is damaged, or no checkpoint of torch ({reason(error)[:100]})") from error


def _contents(path: Path, form: CheckpointFormat, nest: Nest) -> Contents:
    """Weights by name, every tensor of which can be some."""
    if not nest.weights:
        raise AcesError(f"{path} holds no weights by name (it is empty)")
    _check_tensors(path, nest.weights)
    return Contents(form, nest.weights, nest.arch)


def _check_tensors(path: Path, weights: Mapping[str, Tensor]) -> None:
    """Refuse what cannot be weights: by name, and with the reason."""
    for name, tensor in weights.items():
        if (wrong := fault_of(tensor)) is not None:
            raise AcesError(f"{path} is refused: {shown(name)!r} {wrong}")
