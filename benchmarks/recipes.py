"""What makes a certification network good for its training time: short trials on CIFAR-10, one change each.

    python -m benchmarks.recipes -o trials        # goes on where it was; a line of a table for every trial that ended
    python -m benchmarks.recipes -o trials --only wide lr-0.2

Every trial sees the first 30,000 training images twice, one noise vector an image and pass. Then come one draw a test
image (accuracy under noise), and 20 + 100 draws for each of the paper's 500: NAC by the votes of all draws, ACR at
alpha = 0.001, which 100 draws cap at 0.37. Time is the processor's, which other work on the machine changes less.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (its name everywhere)
from scipy.stats import norm
from torch import Tensor, nn

from engine import datasets
from engine.datasets import ImageSet
from engine.models import Network, build
from engine.models.resnet import CifarResNet
from engine.output import make_folder, write_file
from engine.sampling.inference import freeze
from engine.statistics.bounds import lower_confidence_bound
from engine.training.consistency import Consistency, consistency
from engine.training.gaussian import gaussian
from engine.training.loop import Recipe, accuracy, train
from engine.training.objective import BatchResult, Objective, Step, noise, noisy_logits

SIGMA, ALPHA, DRAWS0, DRAWS, IMAGES = 0.25, 0.001, 20, 100, 30_000
RECIPE = Recipe(2, 128, 0.1, 5e-4, "cosine", crop_padding=4)
WIDE = "resnet8x4-half"


class TriangleRecipe(Recipe):
    """Up to lr in the first quarter, then straight down to zero."""

    def lr_at(self, progress: float) -> float:
        share = progress / self.epochs
        return self.lr * max(1e-4, 0.1 + 3.6 * share if share < 0.25 else (1 - share) / 0.75)


@dataclass(frozen=True)
class RecipeTrial:
    """One training: a name, what is built (an architecture, or a body), and what differs from ``RECIPE``."""

    name: str
    body: str | Callable[[], nn.Module] = WIDE
    objective: Objective = gaussian
    recipe: type[Recipe] = Recipe
    changes: dict[str, Any] = field(default_factory=dict)
    prepare: Callable[[Network, ImageSet], None] = lambda *_: None


def smooth_labels(network: nn.Module, x: Tensor, y: Tensor, step: Step) -> BatchResult:
    """Cross-entropy with a tenth of the weight on all classes alike."""
    logits = network(x + noise(x, 1, step).squeeze(1))
    return BatchResult(F.cross_entropy(logits, y, label_smoothing=0.1), logits)


def two_copies(network: nn.Module, x: Tensor, y: Tensor, step: Step) -> BatchResult:
    """Two noise vectors an image."""
    logits = noisy_logits(network, x, noise(x, 2, step))
    return BatchResult(F.cross_entropy(logits.flatten(0, 1), y.repeat_interleave(2)), logits.softmax(-1).mean(1))


def ramp(network: nn.Module, x: Tensor, y: Tensor, step: Step) -> BatchResult:
    """Half the noise in the first epoch."""
    return gaussian(network, x, y, replace(step, sigma=SIGMA / 2) if step.epoch == 0 else step)


def whiten(network: Network, data: ImageSet) -> None:
    """The first convolution projects noisy patches on their principal directions, to unit variance, and stays so."""
    first = network.body.conv1
    generator = torch.Generator().manual_seed(0)
    x = torch.from_numpy(data.array(slice(0, 1000))).float() / 255
    x = network.normalize(x + SIGMA * torch.randn(x.shape, generator=generator))
    patches = F.unfold(x, first.kernel_size[0], stride=5).transpose(1, 2).flatten(0, 1)
    values, vectors = torch.linalg.eigh(torch.cov(patches.T))
    largest = vectors.flip(1)[:, : first.out_channels] / values.flip(0)[: first.out_channels].sqrt()
    with torch.no_grad():
        first.weight.copy_(largest.T.reshape(first.weight.shape))
    first.weight.requires_grad_(False)


def _body(width: int, stem: tuple[int, int], n: int = 1) -> Callable[[], nn.Module]:
    return partial(CifarResNet, n, 10, width=width, stem=stem)


TRIALS = (
    RecipeTrial("resnet8", "resnet8"),
    RecipeTrial("wide"),
    RecipeTrial("triangle", recipe=TriangleRecipe),
    RecipeTrial("full-resolution", _body(32, (3, 1))),
    RecipeTrial("lr-0.2", changes={"lr": 0.2}),
    RecipeTrial("lr-0.05", changes={"lr": 0.05}),
    RecipeTrial("batch-64", changes={"batch_size": 64, "lr": 0.05}),
    RecipeTrial("batch-256", changes={"batch_size": 256, "lr": 0.2}),
    RecipeTrial("smooth-labels", objective=smooth_labels),
    RecipeTrial("two-copies", objective=two_copies, changes={"batch_size": 64, "epochs": 1}),
    RecipeTrial("ramp", objective=ramp),
    RecipeTrial("whitened", prepare=whiten),
    RecipeTrial("stem-3", _body(64, (3, 2))),
    RecipeTrial("stem-7", _body(64, (7, 2))),
    RecipeTrial("weight-decay-1e-3", changes={"weight_decay": 1e-3}),
    RecipeTrial("float32", changes={"precision": "float32"}),
    RecipeTrial(
        "consistency-5", objective=partial(consistency, h=Consistency(5)), changes={"batch_size": 64, "epochs": 1}
    ),
    RecipeTrial("deeper", "resnet14x4-half"),
    RecipeTrial("wider", _body(96, (5, 2))),
)


def run(trial: RecipeTrial, folder: Path) -> dict[str, Any]:
    """Train and measure; what ended is kept in ``folder`` and not done again."""
    kept = folder / f"{trial.name}.json"
    if kept.is_file():
        return json.loads(kept.read_text())
    torch.manual_seed(0)
    card, test = datasets.card("cifar10"), datasets.load("cifar10", "test")
    data = datasets.load("cifar10", "train").rows(slice(0, IMAGES))
    whole = build(WIDE if not isinstance(trial.body, str) else trial.body, card.name)
    network = whole if isinstance(trial.body, str) else Network(whole.normalize, trial.body())
    trial.prepare(network, data)
    recipe = trial.recipe(**asdict(replace(RECIPE, **trial.changes)))
    begun = time.process_time()
    train(
        network,
        data,
        trial.objective,
        SIGMA,
        recipe,
        state_file=folder / f"{trial.name}.pth.tar",
        settings={"trial": trial.name},
    )
    seconds = time.process_time() - begun
    found = {
        "trial": trial.name,
        "parameters": sum(p.numel() for p in network.parameters()),
        "epochs": recipe.epochs,
        "minutes": round(seconds / 60, 2),
        "accuracy": round(accuracy(network, test, SIGMA), 2),
        **certified(network, test.every(card.every)),
        "changes": trial.changes,
        "threads": torch.get_num_threads(),
    }
    write_file(kept, (json.dumps(found, indent=1) + "\n").encode())
    return found


def certified(network: Network, images: ImageSet) -> dict[str, float]:
    """NAC in percent, ACR, and draws a second of the processor."""
    frozen, begun = freeze(network, "bfloat16"), time.process_time()
    counts = np.array([_votes(frozen, images, row) for row in range(len(images))])  # [N, 2, m]
    rows, guess = np.arange(len(images)), counts[:, 0].argmax(1)
    p = lower_confidence_bound(counts[rows, 1, guess], DRAWS, ALPHA)
    radius = np.where((p > 0.5) & (guess == images.label), SIGMA * norm.ppf(np.maximum(p, 0.5)), 0)
    right = counts.sum(1).argmax(1) == images.label
    rate = len(images) * (DRAWS0 + DRAWS) / (time.process_time() - begun)
    return {
        "nac": round(100 * float(right.mean()), 1),
        "acr": round(float(radius.mean()), 4),
        "draws_per_second": round(rate),
    }


def _votes(frozen: Any, images: ImageSet, row: int) -> np.ndarray:
    generator = torch.Generator().manual_seed(int(images.index[row]))
    x = torch.from_numpy(images.image(row))
    answers = []
    for start in range(0, DRAWS0 + DRAWS, 40):
        size = min(40, DRAWS0 + DRAWS - start)
        answers.append(frozen(x + SIGMA * torch.randn(size, *x.shape, generator=generator)).argmax(1))
    votes = torch.cat(answers).numpy()
    return np.stack([np.bincount(part, minlength=10) for part in (votes[:DRAWS0], votes[DRAWS0:])])


def lines(found: list[dict[str, Any]]) -> Iterator[str]:
    """A table in Markdown."""
    yield "| trial | parameters | epochs | minutes of the processor | accuracy under noise | NAC | ACR | draws/s |"
    yield "|---|---:|---:|---:|---:|---:|---:|---:|"
    for one in found:
        yield (
            f"| {one['trial']} | {one['parameters']:,} | {one['epochs']} | {one['minutes']:.1f} "
            f"| {one['accuracy']:.2f} | {one['nac']:.1f} | {one['acr']:.4f} | {one['draws_per_second']:,} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of trials under way and ended")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these trials, in this order")
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    make_folder(asked.output)
    by_name = {trial.name: trial for trial in TRIALS}
    found = []
    for name in asked.only or by_name:
        found.append(run(by_name[name], asked.output))
        print(list(lines(found))[-1], flush=True)
    print("\n" + "\n".join(lines(found)))


if __name__ == "__main__":
    main()
