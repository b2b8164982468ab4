"""Reading weights out of a file, whatever its format, without ever running what it holds.

Whoever wrote the file is a stranger: its names, sizes and types are believed as little as its code.

| file | top level | weights under |
|---|---|---|
| this project's | safetensors with a card in the header | the file |
| Cohen, Salman, Consistency, ACES, and what follows them | dict: epoch, arch, state_dict, optimizer | state_dict |
| MACER | dict: net, epoch | net |
| LaNet | dict: epoch, model_state_dict, optimizer_state_dict | model_state_dict |
| EfficientNet, torchvision | the state dict itself; also as safetensors | the file |
| TorchScript | an archive with code | nothing that can be read alone: see ``engine.models.own`` |
"""

from __future__ import annotations

import json
import pickle
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from engine.errors import AcesError
from engine.models import formats
from engine.models.archive import archive
from engine.models.formats import CheckpointFormat

PREFIXES = ("module.", "1.")  # DataParallel; Sequential(normaliser, network)
NORMALIZER_BUFFERS = ("0.means", "0.sds")  # forks that register what Cohen et al. keep as plain attributes


@dataclass(frozen=True, eq=False)
class Contents:
    """What a file holds: weights by name, and what it says about them.

    ``arch`` as the file spells it; ``constants`` are the buffers of a normaliser in front; ``card`` the JSON of this
    project's own checkpoints.
    """

    format: CheckpointFormat
    weights: Mapping[str, Tensor]
    arch: str | None = None
    constants: Mapping[str, Tensor] | None = None
    card: Mapping[str, Any] | None = None


def read(path: Path) -> Contents:
    """Read a checkpoint. Raises ``AcesError`` for a file that is missing, damaged, unsafe, or holds no weights."""
    if not path.is_file():
        raise AcesError(f"no checkpoint at {path}")
    if path.stat().st_size == 0:
        raise AcesError(f"{path} is empty")
    _check_archive(path)
    return _read_safetensors(path) if path.suffix == ".safetensors" else _read_torch(path)


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


def _read_safetensors(path: Path) -> Contents:
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (a handle, not a dict)
    except (SafetensorError, OSError) as error:
        raise AcesError(f"{path} is not a readable safetensors file: {error}") from error
    if "aces" not in metadata:
        return _contents(path, formats.SAFETENSORS, tensors)
    return Contents(formats.OWN, tensors, card=_card(path, metadata["aces"]))


def _card(path: Path, text: str) -> Mapping[str, Any]:
    try:
        card = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise AcesError(f"{path} carries a damaged network card: {str(error)[:100]}") from error
    if not isinstance(card, dict):
        raise AcesError(f"{path} carries a damaged network card: it is a {type(card).__name__}, not an object")
    return card


def _read_torch(path: Path) -> Contents:
    data = _unpickled(path)
    if not isinstance(data, Mapping):
        raise AcesError(f"{path} holds a {type(data).__name__}, not weights by name")
    for form in formats.FORMATS.values():
        if isinstance(data.get(form.key), Mapping):
            arch = data.get("arch")
            return _contents(path, form, data[form.key], arch if isinstance(arch, str) else None)
    return _contents(path, formats.PLAIN, data)


def _unpickled(path: Path) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # torch remarks on pickle protocols
            # weights_only: tensors and plain containers; a pickle that names anything else is refused, nothing runs.
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        named = re.search(r"GLOBAL:? (?:GLOBAL )?([\w.]+)", str(error))
        what = f"it names {named[1]}" if named else "it is damaged, or holds more than tensors and plain containers"
        raise AcesError(
            f"{path} is refused: {what}, and nothing but weights is loaded from a pickle; save its state dict alone"
        ) from error
    except Exception as error:  # whatever else a damaged or hostile pickle provokes
        reason = " ".join(str(error).split())[:100]
        raise AcesError(f"{path} is damaged, or no checkpoint of torch ({reason})") from error


def _contents(path: Path, form: CheckpointFormat, state: Mapping[Any, Any], arch: str | None = None) -> Contents:
    """Weights without wrappers' prefixes, and without the buffers of a normaliser."""
    wrong = [key for key, value in state.items() if not isinstance(key, str) or not isinstance(value, Tensor)]
    if wrong or not state:
        found = f"{wrong[0]!r} is no tensor" if wrong else "it is empty"
        raise AcesError(f"{path} holds no weights by name ({found})")
    for name, tensor in state.items():
        _check_tensor(path, name, tensor)
    constants = {name: state[name] for name in NORMALIZER_BUFFERS if name in state}
    weights = {name: tensor for name, tensor in state.items() if name not in constants}
    return Contents(form, strip_prefixes(weights), arch, constants or None)


def _check_tensor(path: Path, name: str, tensor: Tensor) -> None:
    """Refuse a tensor that is larger than the bytes the file has for it: a view of one number may claim any shape."""
    plain = tensor.layout == torch.strided and tensor.device.type == "cpu" and not tensor.is_quantized
    if not plain or tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise AcesError(f"{path} is refused: {name[:60]!r} is no plain tensor that holds all its values")


def strip_prefixes(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Drop what wrappers put before every name. Only what all names share: a layer may itself be called ``1``."""
    while prefix := next((p for p in PREFIXES if weights and all(name.startswith(p) for name in weights)), None):
        weights = {name.removeprefix(prefix): tensor for name, tensor in weights.items()}
    return dict(weights)
