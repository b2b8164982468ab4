"""Networks from elsewhere: a user's own function, TorchScript, and whatever timm knows."""

from __future__ import annotations

import importlib
import warnings
from pathlib import Path

import torch
from torch import nn

from engine.datasets import Transform
from engine.errors import AcesError
from engine.models.network import Normalizer
from engine.models.registry import Architecture, architecture

TIMM = "timm:"


def find(name: str) -> Architecture:
    """The card of any architecture: a known one, ``timm:NAME``, or ``module:function``.

    The function takes nothing and returns a network that reads images in [0, 1]. Raises ``AcesError`` if there is none.
    """
    if name.startswith(TIMM):
        return _timm(name)
    return _function(name) if ":" in name else architecture(name)


def load_torchscript(path: Path) -> nn.Module:
    """A TorchScript archive as a body. Raises ``AcesError`` if it is damaged."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # deprecated, and still what people have
            return torch.jit.load(path, map_location="cpu").eval()  # type: ignore[no-untyped-call]
    except (RuntimeError, ValueError) as error:
        raise AcesError(f"{path} is not a readable TorchScript archive: {str(error).splitlines()[0]}") from error


def _function(name: str) -> Architecture:
    module_name, _, function = name.partition(":")
    try:
        make = getattr(importlib.import_module(module_name), function)
    except (ImportError, AttributeError) as error:
        raise AcesError(f"architecture '{name}': {error}; is the module on PYTHONPATH?") from error
    return Architecture(
        name,
        lambda _num_classes, _channels: make(),
        "",
        "your own",
        dataset="imagenet",
        size=224,
        normalizer=Normalizer.NONE,
    )


def _timm(name: str) -> Architecture:
    try:
        import timm
        from timm.data import resolve_model_data_config
    except ModuleNotFoundError as error:
        raise AcesError(f"architecture '{name}' needs timm: pip install timm") from error
    model = name.removeprefix(TIMM)
    if not timm.is_model(model):
        near = ", ".join(timm.list_models(f"*{model.split('.')[0][:8]}*")[:5])
        raise AcesError(f"timm knows no model '{model}'" + (f"; it knows {near}, ..." if near else ""))
    with torch.device("meta"):
        sketch = timm.create_model(model)
    data = resolve_model_data_config(sketch)
    size = int(data["input_size"][-1])
    classifier = dict(sketch.default_cfg)["classifier"]
    return Architecture(
        name,
        lambda num_classes, channels: timm.create_model(model, num_classes=num_classes, in_chans=channels),
        "",
        "timm",
        dataset="imagenet",
        size=size,
        parameters=sum(p.numel() for p in sketch.parameters()),
        head=f"{classifier}.weight",
        mean=tuple(data["mean"]),
        std=tuple(data["std"]),
        transform=Transform(size, round(size / data["crop_pct"]), data["interpolation"] == "bicubic"),
    )
