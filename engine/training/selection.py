"""The selection network: will the certification network be correct about this image under noise? (ACES, App. D.3.2)

Labels come from the certification network's own answers; a network with two outputs, class 0 = core, learns them by
the method that trained the certification network. Its score is softmax(.)[0] (``mechanisms.core_probability``).
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from engine import files, npz
from engine.datasets import ImageSet
from engine.errors import AcesError
from engine.models import Checkpoint, NetworkCard
from engine.sampling.inference import FrozenNetwork, freeze
from engine.sampling.stream import named_generator
from engine.training.checkpoint import write_whole
from engine.training.fit import HELD_OUT_EVERY, Material, TrainingPlan, fit_to
from engine.training.loop import Report

PRECISION = "bfloat16"  # in which the certification network answers while it is counted

MOST_COUNTS = 100_000_000  # bytes of the counts of a split

ReportDraws = Callable[[str, int, int], None]  # split, draws per image made, draws per image wanted


@dataclass(frozen=True)
class Selection:
    """An image is labelled 1 (certify) if at least a share ``eta`` of ``draws`` noisy answers is right."""

    eta: float
    draws: int = 1000

    def __post_init__(self) -> None:
        if not 0 < self.eta <= 1:
            raise AcesError(f"eta is {self.eta}; it is a share of correct answers, in (0, 1], for example 0.5 or 0.95")
        if self.draws < 1:
            raise AcesError(f"draws is {self.draws}; at least 1 is needed")

    def labels(self, correct: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
        """1[n_y / n >= eta] from the counts n_y [N].

        >>> Selection(eta=0.95, draws=100).labels(np.array([94, 95, 100], np.int32)).tolist()
        [0, 1, 1]
        """
        return (correct / self.draws >= self.eta).astype(np.int64)


def fit_selection(
    checkpoint: Checkpoint,
    selection: Selection,
    plan: TrainingPlan,
    directory: Path,
    *,
    device: str = "cpu",
    report: Report = lambda _: None,
    report_draws: ReportDraws = lambda *_: None,
) -> Path:
    """Label the training images by ``checkpoint``, train two outputs on them, write what ``fit`` writes.

    The counts n_y lie beside the products and serve every eta. Accuracies are on every fifth test image, labelled
    in the same way.
    """
    frozen = freeze(checkpoint.network, PRECISION, device)
    labelled = []
    for split, every in (("train", 1), ("test", HELD_OUT_EVERY)):
        images = plan.data.read(split).every(every)
        kept = directory / f"{checkpoint.card.name}-right-{split}-{selection.draws}.npz"
        correct = _read_or_count(kept, frozen, checkpoint.sha256, images, plan, selection.draws, report_draws)
        labelled.append(replace(images, label=selection.labels(correct)))
    material = Material(labelled[0], labelled[1], labelled[1])
    share = float(material.train.label.mean())
    if share in (0, 1):
        raise AcesError(f"at eta {selection.eta} all training images are labelled {share:.0f}; choose another eta")
    of = {"name": checkpoint.card.name, "sha256": checkpoint.sha256}
    facts = {
        "paper": "Horváth et al. 2022, App. D.3.2",
        "selection": {**asdict(selection), "of": of, "labelled_certify": round(100 * share, 2), "precision": PRECISION},
    }
    card = NetworkCard(plan.name, plan.architecture, plan.dataset, "selection", plan.sigma, outputs=2)
    return fit_to(material, card, plan, directory, facts=facts, device=device, report=report)


def _read_or_count(
    path: Path,
    network: FrozenNetwork,
    sha256: str,
    images: ImageSet,
    plan: TrainingPlan,
    draws: int,
    report: ReportDraws,
) -> npt.NDArray[np.int32]:
    """Go on counting from what ``path`` holds; it is written after every draw per image."""
    identity = f"{sha256}|{images.dataset}|{images.split}|{len(images)}|{plan.sigma!r}|{plan.seed}|{PRECISION}"
    if plan.own is not None:  # whose pictures may be exchanged under the same name
        identity += f"|{images.digest()}"
    correct, done = _read_counts(path, identity, len(images))
    for draw in range(done, draws):
        correct += count_correct(network, images, plan.sigma, seed=plan.seed, draw=draw)
        _write_counts(path, identity, correct, draw + 1)
        report(images.split, draw + 1, draws)
    return correct


def count_correct(
    network: FrozenNetwork, images: ImageSet, sigma: float, *, seed: int, draw: int
) -> npt.NDArray[np.int32]:
    """Whether the network is correct under one noise vector per image: 0 or 1, [N]. The draw number seeds the noise."""
    generator = named_generator(f"aces-selection|{seed}|{images.split}|{draw}", network.device)
    correct = []
    for start in range(0, len(images), network.batch):
        part = slice(start, start + network.batch)
        x = torch.from_numpy(images.array(part)).to(network.device).float() / 255
        x += sigma * torch.randn(x.shape, generator=generator, device=network.device)
        correct.append(network(x).argmax(1).cpu().numpy() == images.label[part])
    return np.concatenate(correct).astype(np.int32)


def _read_counts(path: Path, identity: str, n: int) -> tuple[npt.NDArray[np.int32], int]:
    if not path.exists():
        return np.zeros(n, np.int32), 0
    try:
        with files.opened(path) as file:
            kept = npz.read_arrays(file, ("identity", "right", "draws"), MOST_COUNTS)
        whose, correct, draws = str(kept["identity"]), kept["right"], int(kept["draws"])
    except (AcesError, ValueError, TypeError, KeyError) as error:
        raise AcesError(f"{path} is damaged; remove it to count again") from error
    if correct.shape != (n,) or correct.dtype.kind not in "iu":
        raise AcesError(f"{path} is damaged; remove it to count again")
    if whose != identity:
        raise AcesError(
            f"{path} holds counts of another network, noise or seed, or of other pictures; choose another folder"
        )
    return correct, draws


def _write_counts(path: Path, identity: str, correct: npt.NDArray[np.int32], draws: int) -> None:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, identity=np.array(identity), right=correct, draws=np.array(draws))
    write_whole(path, buffer.getvalue())
