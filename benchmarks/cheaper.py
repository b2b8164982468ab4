"""What else torch offers for a forward pass on a CPU, against the engine's best: ``python -m benchmarks cheaper``.

Each candidate is one thread's processor time an image, beside the engine's, in turn: other work on the machine
slows both. None of them is in the engine: docs/performance.md says what they gave.
"""

from __future__ import annotations

import copy
import statistics
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from engine.arrays import Array
from engine.models import Network
from engine.records.runs import SmoothedRun
from engine.sampling.inference import PRECISIONS, FrozenNetwork, Layout, fastest, freeze, intra_op_threads
from engine.statistics.bounds import z_lower_bound

BATCHES = (25, 50, 125)
ROUNDS = 7
CALIBRATED = 4  # batches that tell the ranges of an int8 network
SIGMA = 0.5  # of the noise on them
LEAST = 1.2  # times as fast: what is worth a way of its own


@dataclass(frozen=True)
class Candidate:
    """A way to run a network: its ``title``, and what makes of a network a function of a batch of images."""

    title: str
    make: Callable[[FrozenNetwork, Tensor], Callable[[Tensor], Tensor]]


@dataclass(frozen=True)
class Tried:
    """How many times as fast as the engine's best: the median of the rounds, and the least and the most; "" or why not.

    ``agree``: the share of images, under noise, to which it gives the engine's class.
    """

    title: str
    ratio: float
    low: float
    high: float
    agree: float
    why: str = ""


def traced(network: FrozenNetwork, x: Tensor) -> Callable[[Tensor], Tensor]:
    """TorchScript, frozen, its convolutions fused with what follows them where torch can."""
    module = torch.jit.trace(_Whole(network).eval(), x, check_trace=False)
    return torch.jit.optimize_for_inference(torch.jit.freeze(module.eval()))  # type: ignore[no-any-return]


def compiled(network: FrozenNetwork, x: Tensor, mode: str | None = None) -> Callable[[Tensor], Tensor]:
    """Inductor with frozen weights, which also fuses convolution, sum and ReLU into one oneDNN call."""
    import torch._inductor.config as inductor

    with inductor.patch(freezing=True):
        found = torch.compile(_Whole(network).eval(), dynamic=False, mode=mode)
        found(x), found(x)
    return found


def autotuned(network: FrozenNetwork, x: Tensor) -> Callable[[Tensor], Tensor]:
    """The same, every operation in the fastest of several ways."""
    return compiled(network, x, "max-autotune")


def int8(network: FrozenNetwork, x: Tensor) -> Callable[[Tensor], Tensor]:
    """Weights and activations of 8 bits, ranges from a few batches under noise, residual sums fused (oneDNN)."""
    generator = torch.Generator().manual_seed(1)
    return int8_on(
        network, torch.cat([x + SIGMA * torch.randn(x.shape, generator=generator) for _ in range(CALIBRATED)])
    )


def int8_on(network: FrozenNetwork, seen: Tensor) -> Callable[[Tensor], Tensor]:
    """The same with the ranges that the images ``seen`` [K, C, H, W] give."""
    from torch.ao.quantization import get_default_qconfig_mapping
    from torch.ao.quantization.backend_config import get_onednn_backend_config
    from torch.ao.quantization.quantize_fx import convert_fx, prepare_fx

    torch.backends.quantized.engine = "onednn"
    plain, normal = freeze(network.origin, layout=network.layout), network.normalize
    mapping, fused = get_default_qconfig_mapping("onednn"), get_onednn_backend_config()
    observed = prepare_fx(copy.deepcopy(plain.body), mapping, (normal(seen[:1]),), backend_config=fused)
    for part in seen.split(network.batch):
        observed(normal(part))
    quantised = convert_fx(observed, backend_config=fused)
    return lambda x: quantised(normal(x).contiguous(memory_format=torch.channels_last))


CANDIDATES = (
    Candidate("TorchScript, frozen and optimised", traced),
    Candidate("inductor, frozen", compiled),
    Candidate("inductor, frozen, max-autotune", autotuned),
    Candidate("int8, oneDNN", int8),
)


class _Whole(nn.Module):
    """A frozen network as one module, from images to logits."""

    def __init__(self, network: FrozenNetwork) -> None:
        super().__init__()
        self.normalize, self.body = network.normalize, network.body
        self._to: dict[str, Any] = {"dtype": next(network.body.parameters()).dtype}

    def forward(self, x: Tensor) -> Tensor:
        normal = self.normalize(x).to(self._to["dtype"]).contiguous(memory_format=torch.channels_last)
        return self.body(normal).float()  # type: ignore[no-any-return]


def tried(
    network: Network, shape: tuple[int, ...], precision: str, batches: tuple[int, ...] = BATCHES
) -> Iterator[Tried]:
    """Every candidate beside the engine's best on one thread."""
    with intra_op_threads(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        best = fastest(network, shape, precision)
        for candidate in CANDIDATES:
            yield _best_batch(candidate, best, shape, precision, batches)


def _best_batch(
    candidate: Candidate, best: FrozenNetwork, shape: tuple[int, ...], precision: str, batches: tuple[int, ...]
) -> Tried:
    found = []
    for batch in batches:
        x = torch.rand((batch, *shape), generator=torch.Generator().manual_seed(0))
        layout = Layout(best.layout.memory_format, batch)
        try:
            with torch.inference_mode():
                run = candidate.make(freeze(best.origin, precision, layout=layout), x)
                found.append(_beside(candidate.title, run, best, x))
        except Exception as error:  # a candidate may fail in any way, and that is what is found
            return Tried(candidate.title, 0, 0, 0, 0, f"{type(error).__name__}: {error}".splitlines()[0][:100])
    return max(found, key=lambda one: one.ratio)


def _beside(title: str, run: Callable[[Tensor], Tensor], best: FrozenNetwork, x: Tensor) -> Tried:
    """Round by round in turn, in processor time of this thread."""
    whole = x[: best.batch] if len(x) >= best.batch else torch.cat([x] * -(-best.batch // len(x)))[: best.batch]
    agree = float(
        (run(x).argmax(1) == torch.cat([best.some(part) for part in x.split(best.batch)]).argmax(1)).float().mean()
    )
    for _ in range(2):
        run(x), best(whole)
    ratios = [_seconds(best, whole) / _seconds(run, x) for _ in range(ROUNDS)]
    return Tried(title, statistics.median(ratios), min(ratios), max(ratios), agree)


def _seconds(run: Callable[[Tensor], Tensor], x: Tensor, least: float = 0.3) -> float:
    """Of this thread, an image."""
    start, images = time.thread_time(), 0
    while time.thread_time() - start < least:
        run(x)
        images += len(x)
    return (time.thread_time() - start) / images


@dataclass(frozen=True)
class Quality:
    """What a precision costs a network of the demo: clean and smoothed accuracy in percent, its ACR by itself, and the
    share of votes, in percent, that float32 casts otherwise.
    """

    precision: str
    clean: float
    smoothed: float
    acr: float
    otherwise: float


def qualities(run: SmoothedRun, network: Network, pack: Mapping[str, Array], n: int = 1_000) -> list[Quality]:
    """float32, bfloat16 and int8 on every fifth of the images of a run, from the same noise: 100 draws that guess
    and ``n``. The ranges of int8 come from 125 other images of the pack.
    """
    layout, sigma = Layout(batch=125), run.meta.noise
    row = {int(index): at for at, index in enumerate(pack["index"])}
    chosen = [row[int(index)] for index in run.index[::5]]
    others = np.setdiff1d(np.arange(len(pack["images"])), chosen)[:125]
    images, seen = (torch.from_numpy(pack["images"][rows]).float() / 255 for rows in (chosen, others))
    generator = torch.Generator().manual_seed(1)
    ways: dict[str, Callable[[Tensor], Tensor]] = {name: freeze(network, name, layout=layout) for name in PRECISIONS}
    with torch.inference_mode():
        noisy = seen + sigma * torch.randn(seen.shape, generator=generator)
        ways["int8"] = int8_on(freeze(network, layout=layout), noisy)
        counts = {name: np.zeros((2, len(images), run.meta.num_classes), int) for name in ways}
        for at, image in enumerate(images):
            for stage, draws in enumerate((100, n)):
                x = image + sigma * torch.randn((draws, *image.shape), generator=generator)
                for name, way in ways.items():
                    counts[name][stage, at] = torch.bincount(_classes(way, x), minlength=run.meta.num_classes)
        clean = {name: _classes(way, images).numpy() for name, way in ways.items()}
    return [_quality(name, clean[name], counts, run.label[::5], sigma, n) for name in ways]


def _classes(way: Callable[[Tensor], Tensor], x: Tensor, batch: int = 125) -> Tensor:
    whole = torch.cat([x, x.new_zeros((-len(x)) % batch, *x.shape[1:])])
    return torch.cat([way(part) for part in whole.split(batch)]).argmax(1)[: len(x)]


def _quality(name: str, clean: Array, counts: dict[str, Array], label: Array, sigma: float, n: int) -> Quality:
    guess, votes = counts[name]
    c_hat = guess.argmax(1)
    radius = sigma * z_lower_bound(votes[np.arange(len(votes)), c_hat], n, 0.001) * (c_hat == label)
    otherwise = np.abs(votes - counts["float32"][1]).sum() / 2 / votes.sum()
    shares = [100 * float(share) for share in ((clean == label).mean(), (c_hat == label).mean(), otherwise)]
    return Quality(name, shares[0], shares[1], float(radius.mean()), shares[2])
