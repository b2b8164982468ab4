"""``python -m benchmarks``: everything in one run, as a table of ratios and, with ``--json FILE``, as JSON.

``python -m benchmarks sampling`` runs one; ``networks``, ``growth``, ``training``, ``statistics``, ``browser``,
``drag``, ``serving``, ``gpu`` others, and ``cheaper``, which only runs where it is named: it takes a quarter of an
hour; ``python -m benchmarks.coverage`` measures coverage instead of speed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from benchmarks import browser, cheaper, drag, gpu, sampling, statistics, training
from engine.output import write_file

DEMO = Path(__file__).resolve().parents[1] / "cache" / "demo" / "fashion_mnist-gaussian-0.5.safetensors"


@dataclass(frozen=True)
class Line:
    """One line of the table: what was measured, the figure, and what it should be (None: only for information)."""

    what: str
    value: float | None
    unit: str
    target: str | None = None

    @property
    def shown(self) -> str:
        """The figure with its unit; a dash where there is none."""
        return "—" if self.value is None else f"{self.value:,.4g} {self.unit}"


NETWORKS: dict[str, tuple[str, str]] = {
    # title -> architecture, dataset; untrained, which changes no speed
    "ResNet-20, 32 px": ("resnet20", "cifar10"),
    "ResNet-110, 32 px": ("resnet110", "cifar10"),
    "ResNet-50, 224 px": ("resnet50", "imagenet"),
}


def sampling_lines() -> Iterator[Line]:
    """Draws a second on the demo's certification network, against the loops that the engine replaces."""
    from engine import datasets
    from engine.models import load
    from engine.sampling.inference import fastest

    checkpoint = load(DEMO)
    card = datasets.card(checkpoint.card.dataset)
    targets = {
        ("bfloat16", "cohen"): ">= 5",
        ("float32", "cohen"): ">= 2",
        ("bfloat16", "per-draw"): ">= 8",
        ("bfloat16", "forward"): ">= 0.85",
        ("float32", "forward"): ">= 0.85",
    }
    for precision in sampling.precisions():
        rates = sampling.measure(checkpoint.network, card.shape, card.num_classes, precision)
        yield from _rate_lines(f"demo ResNet-8, 28 px, {precision}", precision, rates, targets)
    for kind, share in sampling.profile(fastest(checkpoint.network, card.shape, "bfloat16"), card.shape, 10).items():
        yield Line(f"CPU profile of a worker, demo ResNet-8, bfloat16: {kind}", share, "%")


def networks_lines() -> Iterator[Line]:
    """The same on the paper's networks, untrained."""
    from engine import datasets
    from engine.models import build

    for title, (architecture, dataset) in NETWORKS.items():
        card = datasets.card(dataset)
        network = build(architecture, dataset).eval()
        for precision in sampling.precisions():
            rates = sampling.measure(network, card.shape, card.num_classes, precision, rounds=3)
            yield from _rate_lines(f"{title}, {precision}", precision, rates, {})


def _rate_lines(
    title: str, precision: str, rates: sampling.Rates, targets: dict[tuple[str, str], str]
) -> Iterator[Line]:
    against = {
        "cohen": "Cohen-style float32 loop",
        "per-draw": "per-draw entropies",
        "forward": "its bare forward pass",
    }
    yield Line(f"{title}: engine ({rates.layout})", rates.engine, "draws/s")
    yield Line(f"{title}: bare forward pass", rates.floor, "draws/s")
    for name, ratio in rates.ratios.items():
        yield Line(f"{title}: engine / {against[name]}", ratio, "x", targets.get((precision, name)))


def growth_lines() -> Iterator[Line]:
    """What the pass costs beside the network, and how that and the memory grow."""
    for num_classes in (10, 100, 1000):
        for n in (1_000, 10_000, 100_000):
            cost = sampling.pass_alone(num_classes, n)
            yield Line(f"pass without a network, {num_classes} classes, n = {n:,}", cost, "us/draw")
    yield Line("peak memory of the process so far, torch included", sampling.peak_memory_mb(), "MB")


def training_lines() -> Iterator[Line]:
    """An epoch of every method, on random images of Fashion-MNIST's shape."""
    for name, value in training.measure().items():
        what, unit = name.rsplit(", ", 1)
        yield Line(what, value, unit, "<= 1.3" if unit == "x" else None)


def statistics_lines() -> Iterator[Line]:
    """All metrics at 1001 thresholds after a change of alpha."""
    for images, n in statistics.SIZES:
        row = statistics.measure(images, n)
        target = f"<= {statistics.TARGETS[images]:.0f}"
        yield Line(f"metrics, {images:,} images x 1001 thresholds, n = {n:,}, new alpha", row.cold, "ms", target)
        yield Line("  the same, alpha seen before", row.warm, "ms")
        yield Line("  memory at the peak, beyond the counts", row.megabytes, "MB", "<= 500")


def browser_lines() -> Iterator[Line]:
    """The demo's page in headless Chromium."""
    targets = {
        "server to first figure, s": "<= 3",
        "key to first figure, ms": "<= 200",
        "key to every figure, ms": "<= 400",
    }
    for name, value in browser.measure().items():
        what, unit = name.rsplit(", ", 1)
        yield Line(what, value, unit, targets.get(name))


def drag_lines() -> Iterator[Line]:
    """A thumb that is held, in headless Chromium."""
    targets = {"median": "<= 50", "95th percentile": "<= 100", "runs": "<= 1"}
    for name, value in drag.measure().items():
        target = next((goal for word, goal in targets.items() if word in name), None)
        yield Line(name, value, "" if "runs" in name else "ms", target)


def gpu_lines() -> Iterator[Line]:
    """The paper's two networks on this machine's GPU, if it has one."""
    from engine import datasets
    from engine.models import build

    if not gpu.available():
        yield Line("GPU: torch finds none on this machine, so nothing was measured on one", None, "")
        return
    device = torch.cuda.get_device_name()
    for title, (architecture, dataset) in list(NETWORKS.items())[1:]:
        card = datasets.card(dataset)
        found = gpu.measure(build(architecture, dataset).eval(), card.shape)
        target = "<= 120" if architecture == "resnet110" else "<= 1,200"
        of = f"{title}, bfloat16, {device}"
        yield Line(f"{of}: engine", found.even, "draws/s")
        yield Line(f"{of}: {gpu.IMAGES} images at n = {gpu.N:,}, at this rate", found.seconds, "s", f"{target} (H200)")
        yield Line(f"{of}: with a budget that saves {found.saved:.1f} x", found.seconds_with_budget, "s")
        yield Line(f"{of}: engine / bare compiled forward pass", found.even / found.bare, "x", ">= 0.8")
        yield Line(f"{of}: memory", found.megabytes, "MB")
        for kind, share in found.profile.items():
            yield Line(f"{of}: time, {kind}", share, "%")


def cheaper_lines() -> Iterator[Line]:
    """What else torch offers for a forward pass on a CPU, beside the engine's best."""
    from engine import datasets
    from engine.models import build, load

    demo = load(DEMO)
    networks = {"demo ResNet-8, 28 px": (demo.network, demo.card.dataset)}
    networks["ResNet-20, 32 px"] = build("resnet20", "cifar10").eval(), "cifar10"
    for title, (network, dataset) in networks.items():
        for precision in sampling.precisions():
            for one in cheaper.tried(network, datasets.card(dataset).shape, precision):
                how = one.why or f"{one.low:.2f} to {one.high:.2f}; {100 * one.agree:.0f} % the same class"
                what = f"{title}, {precision}: {one.title} / the engine's best ({how})"
                yield Line(what, None if one.why else one.ratio, "x", f">= {cheaper.LEAST}")
    yield from _quality_lines()


def _quality_lines() -> Iterator[Line]:
    """What int8 costs: on the demo's images, by the demo's networks."""
    from cache import Catalog
    from engine.models import load
    from engine.weights import weights_of

    for name in ("fashion_mnist-gaussian-0.5", "fashion_mnist-consistency-0.25", "cifar10-gaussian-0.25"):
        run = Catalog(demo=DEMO.parent).load(name)
        with np.load(DEMO.parent / f"{run.meta.dataset}_images.npz") as pack:
            found = cheaper.qualities(run, load(weights_of(run.meta)).network, dict(pack))
        for one in found:
            accuracies = f"accuracy {one.clean:.1f} % clean, {one.smoothed:.1f} % smoothed"
            said = f"{accuracies}, {one.otherwise:.2f} % of the votes otherwise than float32"
            yield Line(f"{name}, {one.precision}: ACR ({said})", one.acr, "")


def serving_lines() -> Iterator[Line]:
    """PREDICT over many pictures, and a server with many clients."""
    from benchmarks import serving

    found = serving.predict()
    yield Line(f"predict, {serving.PICTURES:,} Fashion-MNIST pictures", found.rate, "draws/s")
    yield Line("  against the engine's draws on one picture", found.ratio, "x", ">= 0.8")
    yield Line("  draws of a picture that is decided, mean", found.decided_draws, "draws", "20 to 200")
    yield Line("  ... median", found.median_draws, "draws")
    yield Line("  pictures without an answer after 10,000", found.abstained, "")
    served = serving.serve()
    yield Line(f"serve, {serving.CLIENTS} clients, n = 1,000 at most", served.server, "pictures/s")
    yield Line("  against predict in one process", served.ratio, "x", ">= 0.8")


PARTS: dict[str, Callable[[], Iterator[Line]]] = {
    "sampling": sampling_lines,
    "networks": networks_lines,
    "growth": growth_lines,
    "training": training_lines,
    "statistics": statistics_lines,
    "browser": browser_lines,
    "drag": drag_lines,
    "gpu": gpu_lines,
    "cheaper": cheaper_lines,
    "serving": serving_lines,
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="which parts; by default all")
    parser.add_argument("--json", type=Path, help="also write the lines here")
    arguments = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}\n")
    print("| what | measured | target |\n|---|---:|---|")
    lines = []
    for part in arguments.parts or [part for part in PARTS if part != "cheaper"]:
        for line in PARTS[part]():
            lines.append(vars(line))
            print(f"| {line.what} | {line.shown} | {line.target or ''} |", flush=True)
    if arguments.json is not None:
        write_file(arguments.json, (json.dumps(lines, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
