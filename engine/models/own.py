"""Networks from elsewhere: a user's own function, TorchScript, and whatever timm knows."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import io
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import torch
from torch import Tensor, nn

from engine.datasets import Transform
from engine.errors import AcesError
from engine.models.network import Normalizer
from engine.models.registry import Architecture, architecture

TIMM = "timm:"


def find(name: str) -> Architecture:
    """The card of any architecture: a known one, ``timm:NAME``, or ``module:function``, which is imported.

    ``FILE.py:function`` is a function of a file, which need not be on any path.

    So ``name`` is what the user says, never what a file does. The function takes nothing and returns a network that
    reads images in [0, 1]. Raises ``AcesError`` if there is none.
    """
    if name.startswith(TIMM):
        return _timm(name)
    return _function(name) if ":" in name else architecture(name)


class Scripted(nn.Module):
    """A TorchScript network as a body: images [B, C, H, W] -> whatever its code returns.

    It runs as it was written: TorchScript's own optimiser rewrites a network after its first passes, by what it saw in
    them, and the last bits of the logits with it. It is copied, and sent to other processes, in its own format.
    """

    def __init__(self, script: nn.Module) -> None:
        super().__init__()
        self.script = script

    def forward(self, x: Tensor) -> Tensor:
        with torch.jit.optimized_execution(False):  # type: ignore[attr-defined]  # of this thread
            return self.script(x)

    def __reduce__(self) -> tuple[Callable[[bytes], Scripted], tuple[bytes]]:
        buffer = io.BytesIO()
        with _deprecated():
            torch.jit.save(self.script, buffer)
        return _script_again, (buffer.getvalue(),)


def _script_again(data: bytes) -> Scripted:
    return Scripted(load_torchscript(io.BytesIO(data)))


def load_torchscript(file: Path | IO[bytes]) -> nn.Module:
    """A TorchScript archive as a module on the CPU. This runs its code: only for one that the user trusts.

    Raises ``AcesError`` if it is damaged.
    """
    try:
        with _deprecated():
            return torch.jit.load(file, map_location="cpu").eval()  # type: ignore[no-untyped-call]
    except (RuntimeError, ValueError, torch.jit.Error) as error:
        name = file if isinstance(file, Path) else "the network"
        raise AcesError(f"{name} is not a readable TorchScript archive: {last_line(error)}") from error


def last_line(error: Exception) -> str:
    """What went wrong, of a message that begins with where: TorchScript quotes its source first."""
    lines = str(error).strip().splitlines()
    return lines[-1].strip()[:200] if lines else type(error).__name__


@contextmanager
def _deprecated() -> Iterator[None]:
    """TorchScript is deprecated, and still what people have."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _function(name: str) -> Architecture:
    module_name, _, function = name.rpartition(":")
    if module_name.endswith(".py"):
        make = _of_file(Path(module_name), function, name)
        return _own_architecture(name, make)
    try:
        make = getattr(importlib.import_module(module_name), function)
    except (ImportError, AttributeError) as error:
        raise AcesError(f"architecture '{name}': {error}; is the module on PYTHONPATH?") from error
    return _own_architecture(name, make)


def _of_file(path: Path, function: str, name: str) -> Callable[[], nn.Module]:
    """A function of a file, which is run; the same file as it stands is run once."""
    try:
        stands = path.resolve().stat()
        module_name = f"own_{hashlib.sha256(f'{path.resolve()}|{stands.st_mtime_ns}'.encode()).hexdigest()[:16]}"
        if module_name not in sys.modules:
            spec = importlib.util.spec_from_file_location(module_name, path)
            assert spec is not None
            assert spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            sys.modules[module_name] = module
            try:
                spec.loader.exec_module(module)
            except BaseException:
                del sys.modules[module_name]
                raise
        return getattr(sys.modules[module_name], function)
    except Exception as error:  # whatever code of the user's own raises
        reason = " ".join(str(error).split())[:200]
        raise AcesError(f"architecture '{name}': {type(error).__name__}: {reason}") from error


def _own_architecture(name: str, make: Callable[[], nn.Module]) -> Architecture:
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
    if ":" in name.removeprefix(TIMM) or "/" in name:
        raise AcesError(f"architecture '{name}': timm:NAME is one of timm's own; no hub and no folder is asked")
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
