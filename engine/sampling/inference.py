"""A network made fast and frozen: evaluation mode, batch norm folded, fixed precision, memory format and batch.

What is certified is the network *as run*: precision, device kind, memory format and batch belong to its identity.
``fastest`` measures how a network runs best on this machine, and chooses freely only among layouts that give the same
logits to the last bit: a close race never decides what is certified.
"""

from __future__ import annotations

import copy
import math
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Protocol, Self, cast, runtime_checkable

import torch
from torch import Tensor, nn
from torch.fx.experimental.optimization import fuse

from engine.errors import AcesError
from engine.models import Network
from engine.models.denoised import Denoised
from engine.models.own import Scripted, last_line
from engine.records.draws import CHUNK

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
FORMATS = {"channels_last": torch.channels_last, "contiguous": torch.contiguous_format}

MARGIN = 1.5  # how much faster a layout must be before it may change the last bits of a logit
PROBE_SECONDS = 2.0  # after which no further layout is tried
ROUNDS = 5  # in which two layouts are timed side by side
SLOW = 1.0  # seconds a CPU batch: of a network so large a probe would take minutes
SHORT = 2e-3  # seconds a batch: a network so small is not worth a probe
MOST_VALUES = 2**22  # of a CPU batch, 16 MB in float32: activations take many times that
LARGE_IMAGE = 3 * 128 * 128  # values, from which on fewer images make a GPU batch

RECORDABLE: dict[str, list[Any]] = {  # what a record may say of a layout: lists, as JSON may hold what cannot be hashed
    "memory_format": list(FORMATS),
    "batch": [b for b in range(1, 10 * CHUNK + 1) if CHUNK % b == 0 or b % CHUNK == 0],
    "compiled": [False, True],
}


@dataclass(frozen=True)
class Layout:
    """How a network is run on a device: ``memory_format`` of weights and activations, images a batch, torch.compile.

    ``batch`` divides ``CHUNK`` or is a multiple of it.
    """

    memory_format: str = "channels_last"
    batch: int = 50
    compiled: bool = False

    def __post_init__(self) -> None:
        assert self.memory_format in FORMATS, self.memory_format
        assert CHUNK % self.batch == 0 or self.batch % CHUNK == 0, self.batch

    @classmethod
    def recorded(cls, record: Mapping[str, Any]) -> Self | None:
        """The layout that a record states, of a run file or the store; None where it states nothing.

        Raises ``AcesError`` for one that no device here would run: the record may be anybody's.
        """
        found = {name: record[name] for name in ("memory_format", "batch", "compiled") if name in record}
        if any(value not in RECORDABLE[name] or isinstance(value, float) for name, value in found.items()):
            raise AcesError(f"the record says that the network ran in {ascii(found)[:100]}, which is no layout")
        return cls(**found) if found else None

    def __str__(self) -> str:
        return f"{self.memory_format}/{self.batch}" + ("/compiled" if self.compiled else "")


def default_layout(device: torch.device, shape: tuple[int, ...] = ()) -> Layout:
    """What a device runs images of ``shape`` [C, H, W] well in, without measuring."""
    values = math.prod(shape)
    if device.type == "cpu":
        return Layout(
            batch=next(batch for batch in (50, 25, 10, 5, 2, 1) if batch * values <= MOST_VALUES or batch == 1)
        )
    return Layout(batch=CHUNK if values >= LARGE_IMAGE else 5 * CHUNK)


def _alternatives(device: torch.device, shape: tuple[int, ...]) -> list[dict[str, Any]]:
    """Changes to a layout that ``fastest`` tries, in this order; small CPU batches keep activations in the cache."""
    if device.type == "cpu":
        batches = [batch for batch in (125, 25) if batch * math.prod(shape) <= MOST_VALUES]
        return [{"memory_format": "contiguous"}, *({"batch": batch} for batch in batches)]
    return [{"compiled": True}, {"batch": CHUNK}, {"batch": 10 * CHUNK}]


@dataclass(frozen=True, eq=False)
class FrozenNetwork:
    """Images in [0, 1], float32 [batch, C, H, W] -> logits float32 [batch, m], without gradients.

    ``layout`` is how it runs; ``identity`` the layout whose logits it reproduces to the last bit (often the same).
    ``origin`` is the network that was frozen. Threads may share it; pickled, it is frozen again where it arrives.
    """

    origin: Network
    normalize: nn.Module
    body: nn.Module
    precision: str
    device: torch.device
    layout: Layout
    identity: Layout

    @torch.inference_mode()
    def __call__(self, x: Tensor) -> Tensor:
        # Normalised in float32 before the cast: exact also at zero-padded borders, where folding the mean is not.
        normal = self.normalize(x).to(PRECISIONS[self.precision], memory_format=FORMATS[self.layout.memory_format])
        logits: Tensor = self.body(normal)
        if not isinstance(logits, Tensor):  # networks of others
            raise AcesError(f"the network returns a {type(logits).__name__}; logits [B, m] are expected")
        return logits.float()

    def on(self, device: str) -> FrozenNetwork:
        """The same network, run in the same way on another device."""
        return replace(freeze(self.origin, self.precision, device, self.layout), identity=self.identity)

    def __reduce__(self) -> tuple[Callable[..., FrozenNetwork], tuple[Any, ...]]:
        return _freeze_again, (self.origin, self.precision, str(self.device), self.layout, self.identity)

    def some(self, x: Tensor) -> Tensor:
        """The same of at most a batch; a network of others may know whole batches only, and gets one."""
        if len(x) == self.batch or not isinstance(self.origin.body, Scripted):
            return self(x)
        return self(torch.cat([x, x.new_zeros(self.batch - len(x), *x.shape[1:])]))[: len(x)]

    @property
    def batch(self) -> int:
        """Images a batch: the number it always runs at."""
        return self.layout.batch

    @property
    def as_run(self) -> dict[str, object]:
        """What the promise of equal bytes covers, for the record of a run."""
        return {
            "device": self.device.type,
            "hardware": hardware(self.device),
            "memory_format": self.identity.memory_format,
            "batch": self.identity.batch,
            "compiled": self.identity.compiled,
        }


def _freeze_again(origin: Network, precision: str, device: str, layout: Layout, identity: Layout) -> FrozenNetwork:
    return replace(freeze(origin, precision, device, layout), identity=identity)


@runtime_checkable
class Bakeable(Protocol):
    """A module that computes its weights in every forward pass, and can be replaced by one that holds the result."""

    def bake(self) -> nn.Module: ...


def freeze(
    network: Network, precision: str = "float32", device: str = "cpu", layout: Layout | None = None
) -> FrozenNetwork:
    """Freeze a copy of ``network``; the original is left as it is. By default it runs in the device's default layout.

    Raises ``AcesError`` for an unknown precision or a device that is not there.
    """
    if precision not in PRECISIONS:
        raise AcesError(f"unknown precision '{precision}'; known: {', '.join(PRECISIONS)}")
    where = resolve_device(device)
    layout = layout or default_layout(where)
    if layout.compiled and isinstance(network.body, Scripted):
        raise AcesError("a TorchScript network cannot be compiled again: run it in a layout that is not")
    body = copy.deepcopy(network.body).cpu().eval()
    if not isinstance(body, Scripted):  # its code is its own: there is nothing in it to bake or fold
        body = _folded(_bake(body))
    body = body.to(where, PRECISIONS[precision]).to(memory_format=FORMATS[layout.memory_format])
    body.requires_grad_(False)
    if layout.compiled:
        body = cast(nn.Module, torch.compile(body, dynamic=False))
    return FrozenNetwork(
        network, copy.deepcopy(network.normalize).to(where).eval(), body, precision, where, layout, layout
    )


def _bake(module: nn.Module) -> nn.Module:
    """Replace every ``Bakeable`` module, such as a weight-standardised convolution, by what it amounts to."""
    if isinstance(module, Bakeable):
        return module.bake()
    for name, child in module.named_children():
        setattr(module, name, _bake(child))
    return module


def _folded(body: nn.Module) -> nn.Module:
    """With batch norms folded: of a classifier behind a denoiser in either, since torch.fx may not see through one."""
    if not isinstance(body, Denoised):
        return _fold_batch_norm(body)
    for owner, name in body.parts():
        setattr(owner, name, _fold_batch_norm(getattr(owner, name)))
    return body


def _fold_batch_norm(body: nn.Module) -> nn.Module:
    """Fold batch norms into the convolutions before them; a body that torch.fx cannot trace stays as it is."""
    try:
        return fuse(body)
    except Exception:  # whatever code of anybody's raises at torch.fx's stand-ins for tensors
        return body


def resolve_device(device: str) -> torch.device:
    """The torch device of that name. Raises ``AcesError`` if this machine does not have it."""
    try:
        where = torch.device(device)
        torch.empty(1, device=where)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise AcesError(f"device '{device}' is not available ({reason}); use --device cpu") from error
    return where


def hardware(device: torch.device) -> str:
    """What the last bits of a logit depend on besides the software: the GPU's name, or the CPU's instruction set."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return str(torch.backends.cpu.get_cpu_capability())


# --- the probe -------------------------------------------------------------------------------------------------


def fastest(
    network: Network,
    shape: tuple[int, ...],
    precision: str = "float32",
    device: str = "cpu",
    identity: Layout | None = None,
) -> FrozenNetwork:
    """``network`` frozen in the layout that is fastest here for images of ``shape`` [C, H, W]: a short measured probe.

    Timed on one thread, as the pass runs it. A layout whose logits equal the best one's to the last bit wins by any
    lead and takes over its identity; one whose logits differ must be ``MARGIN`` times as fast in every round, and is
    not considered at all where ``identity`` says which logits are wanted. A network whose batches are ``SLOW`` on a CPU
    runs in the layout that it begins with.
    """
    where = resolve_device(device)
    begun = time.perf_counter()
    with intra_op_threads(1):
        best = freeze(network, precision, device, identity or default_layout(where, shape))
        if where.type == "cpu" and _seconds_per_image(best, shape) * best.batch > SLOW:
            return best
        for change in _alternatives(where, shape):
            layout = replace(best.layout, **change)
            if layout.compiled and isinstance(network.body, Scripted):
                continue
            if time.perf_counter() - begun > PROBE_SECONDS or layout == best.layout:
                continue
            other = freeze(network, precision, device, layout)
            if not _runs(other, shape):
                continue
            if same_logits(other, best, shape):
                if statistics.median(leads(other, best, shape)) > 1:
                    best = replace(other, identity=best.identity)
            elif identity is None and min(leads(other, best, shape)) > MARGIN and _keeps_places(other, shape):
                best = other
    return best


@contextmanager
def intra_op_threads(threads: int) -> Iterator[None]:
    """Run with so many threads inside an operation; the number that was set comes back afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def leads(a: FrozenNetwork, b: FrozenNetwork, shape: tuple[int, ...]) -> list[float]:
    """How many times as fast ``a`` is as ``b``, in each of a few rounds side by side.

    Where a batch takes less than ``SHORT`` there is nothing to gain, and no round is measured: [1].
    """
    if _seconds_per_image(b, shape) * b.batch < SHORT:  # also warms up
        return [1.0]
    _seconds_per_image(a, shape)
    return [_seconds_per_image(b, shape) / _seconds_per_image(a, shape) for _ in range(ROUNDS)]


def _seconds_per_image(frozen: FrozenNetwork, shape: tuple[int, ...]) -> float:
    """On a CPU the time that this thread computed, which does not count waiting for its turn on a busy machine."""
    clock = time.thread_time if frozen.device.type == "cpu" else time.perf_counter
    x = _some_images(frozen.batch, shape, frozen.device)
    begun = clock()
    frozen(x).cpu()
    return (clock() - begun) / frozen.batch


def _runs(frozen: FrozenNetwork, shape: tuple[int, ...]) -> bool:
    """Whether a network runs at this batch at all: a traced one may have another written into it."""
    if not isinstance(frozen.origin.body, Scripted):
        return True
    try:
        return len(frozen(_some_images(frozen.batch, shape, frozen.device))) == frozen.batch
    except (RuntimeError, IndexError, torch.jit.Error):
        return False


def same_logits(a: FrozenNetwork, b: FrozenNetwork, shape: tuple[int, ...]) -> bool:
    """Whether two layouts of one network give equal logits to the last bit, wherever in a batch an image stands."""
    x = _some_images(math.lcm(a.batch, b.batch), shape, a.device)
    logits_a, logits_b = (torch.cat([net(part) for part in torch.split(x, net.batch)]) for net in (a, b))
    return torch.equal(logits_a, logits_b)


def _keeps_places(frozen: FrozenNetwork, shape: tuple[int, ...]) -> bool:
    """Whether an image's logits do not depend on its place: asked of batches that hold several chunks."""
    x = _some_images(frozen.batch, shape, frozen.device)
    return frozen.batch <= CHUNK or torch.equal(frozen(x.roll(CHUNK, 0)).roll(-CHUNK, 0), frozen(x))


def _some_images(count: int, shape: tuple[int, ...], device: torch.device) -> Tensor:
    """Noise [count, C, H, W]: the first rows are the same for every count."""
    return torch.randn((count, *shape), generator=torch.Generator(device).manual_seed(0), device=device)


# --- refusals --------------------------------------------------------------------------------------------------


def check_network(frozen: FrozenNetwork, example: Tensor, num_classes: int) -> None:
    """Refuse, before any sampling, a network whose answers could not be counted or would not be its own.

    ``example`` is one image [C, H, W]. Raises ``AcesError`` for a wrong number of outputs, for NaN or infinity, for a
    network that answers the same batch differently twice (dropout left on), and for one whose answer to an image
    depends on the other images of the batch (batch statistics): no function of the image could be certified.
    """
    x = example.to(frozen.device).expand(frozen.batch, *example.shape).contiguous()
    company = torch.cat([x[:1], 1 - x[1:]])  # the same first image among others
    try:
        first, second, among_others = frozen(x), frozen(x), frozen(company)
    except (RuntimeError, IndexError, torch.jit.Error) as error:
        raise AcesError(
            f"the network cannot read images of shape {tuple(example.shape)}, {frozen.batch} at a time, in "
            f"{frozen.precision}: {last_line(error)}{_fixed(frozen)}"
        ) from error
    if first.ndim != 2 or len(first) != frozen.batch:
        raise AcesError(
            f"the network answers {frozen.batch} images with numbers of shape {tuple(first.shape)}: logits [B, m] are "
            f"expected{_fixed(frozen)}"
        )
    if first.shape[1] != num_classes:
        raise AcesError(f"the network has {first.shape[1]} outputs; the dataset has {num_classes} classes")
    if not torch.isfinite(first).all():
        raise AcesError("the network returns NaN or infinite logits: check its weights and its precision")
    if not torch.equal(first, second):
        raise AcesError("the network answers the same images differently twice: is dropout left on?")
    if not torch.allclose(among_others[0], first[0], rtol=1e-2, atol=1e-2 * float(first.abs().max())):
        raise AcesError("the network's answer to an image depends on the rest of its batch: is batch norm in training?")


def _fixed(frozen: FrozenNetwork) -> str:
    """What is usually wrong with a TorchScript network: tracing writes what it saw into the code."""
    if not isinstance(frozen.origin.body, Scripted):
        return ""
    return "; tracing writes batch, precision and device into a network: script it, or trace it as it is to run"
