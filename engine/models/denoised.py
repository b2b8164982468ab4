"""Denoised smoothing (Salman et al. 2020): behind a denoiser any classifier is a certification network.

What is certified is the classifier of denoised images, a network like any other whose answers are counted under noise.
Its identity is a sha256 over the denoiser's, the classifier's and the denoiser's condition (such as ``step 53``). A
small file, ``NAME.denoised.json``, says of which two files it consists, and is named wherever a checkpoint is.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from torch import Tensor, nn

from engine.datasets import card
from engine.errors import AcesError
from engine.files import read_object
from engine.models.checkpoint import Checkpoint, Hints, NetworkCard, load
from engine.models.denoisers import Denoiser, find_denoiser
from engine.models.formats import DENOISED
from engine.models.network import Network, Normalizer
from engine.models.own import Scripted
from engine.models.registry import ARCHITECTURES
from engine.names import file_fault, quoted
from engine.output import write_file
from engine.weights import FFDNET, LONGEST_DENOISED, PUBLISHED, part_of

FORMAT = "aces-denoised"
VERSION = 1
TRAINING = "denoised"  # the method that records name
NO_HINTS = Hints()


class Denoised(nn.Module):
    """Images in [0, 1] [B, C, H, W] -> logits of the classifier on what the denoiser makes of them.

    The classifier is another's: it stays as it is, in evaluation mode, also while a denoiser is trained before it.
    """

    def __init__(self, denoiser: nn.Module, classifier: Network) -> None:
        super().__init__()
        self.denoiser, self.classifier = denoiser, classifier.eval().requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.denoiser(x))
        return logits

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        self.classifier.eval()
        return self

    def parts(self) -> list[tuple[nn.Module, str]]:
        """The modules that can be frozen one by one, each as the name of one in another."""
        return [(self, "denoiser"), (self.classifier, "body")]


def denoise(denoiser: Denoiser, classifier: Checkpoint, sigma: float, name: str | None = None) -> Checkpoint:
    """The classifier behind the denoiser, for noise of ``sigma``, called ``name``.

    Raises ``AcesError`` for a denoiser that was trained at another noise level, and for a classifier that is code.
    """
    if isinstance(classifier.network.body, Scripted):
        raise AcesError("a TorchScript file cannot stand behind a denoiser: save its state dict")
    if denoiser.sigma_train not in (None, sigma):
        raise AcesError(f"{denoiser.source} was trained at sigma {denoiser.sigma_train:g}; asked for is {sigma:g}")
    network = Network(nn.Identity(), Denoised(denoiser.module, classifier.network)).eval()
    name = name or f"{classifier.card.name}-denoised-{sigma:g}"
    known = NetworkCard(
        name, classifier.card.architecture, classifier.card.dataset, TRAINING, sigma, classifier.card.outputs
    )
    parts = {
        "denoiser": {"source": denoiser.source, "sha256": denoiser.sha256, "condition": denoiser.condition},
        "classifier": {"name": classifier.card.name, "sha256": classifier.sha256},
    }
    return replace(
        classifier,
        network=network,
        card=known,
        sha256=denoised_sha256(denoiser, classifier),
        format=DENOISED.label,
        normalizer=Normalizer.NONE,
        why="the denoiser reads images in [0, 1]; the classifier has its own",
        parts=parts,
    )


def denoised_sha256(denoiser: Denoiser, classifier: Checkpoint) -> str:
    """Identity of the two: sha256 over both and the condition."""
    said = [FORMAT, denoiser.sha256, denoiser.condition, classifier.sha256]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def load_denoised(source: str | Path, classifier: Path, sigma: float, hints: Hints = NO_HINTS) -> Checkpoint:
    """The network in the file ``classifier`` behind a denoiser (``find_denoiser``). ``hints``: of the classifier."""
    if not 0 < sigma < math.inf:
        raise AcesError(f"sigma is {sigma}; a denoiser removes noise, for example of sigma 0.25")
    behind = load(classifier, replace(hints, name=None, sigma_train=None, training=None))
    channels = (hints.dataset or card(behind.card.dataset)).shape[0]
    return denoise(find_denoiser(source, sigma, channels), behind, sigma, hints.name)


@dataclass(frozen=True)
class DenoisedFile:
    """What a ``NAME.denoised.json`` says: two names of files, their sha256, the noise and the denoiser's condition.

    ``architecture``: the classifier's, where it is ``published`` and no file.
    """

    name: str
    sigma: float
    denoiser: str
    denoiser_sha256: str
    condition: str
    classifier: str
    classifier_sha256: str
    architecture: str | None = None

    def __post_init__(self) -> None:
        for entry in ("name", "denoiser", "denoiser_sha256", "classifier", "classifier_sha256"):
            if (wrong := file_fault(getattr(self, entry))) is not None:
                raise AcesError(f"its {entry} is {quoted(getattr(self, entry))}; expected {wrong}")
        if isinstance(self.sigma, bool) or not isinstance(self.sigma, int | float) or not 0 < self.sigma < math.inf:
            raise AcesError(f"its sigma is {quoted(self.sigma)}; expected a positive number")
        if not isinstance(self.condition, str) or len(self.condition) > 100:
            raise AcesError(f"its condition is {quoted(self.condition)}; expected a short text")
        if self.architecture is not None and self.architecture not in list(ARCHITECTURES):
            raise AcesError(f"its architecture is {quoted(self.architecture)}, which is none of `models`")
        if (self.classifier == PUBLISHED) != (self.architecture is not None):
            raise AcesError(f"`{PUBLISHED}` weights go with an architecture, and nothing else does")


def write_denoised(checkpoint: Checkpoint, classifier: Path, path: Path) -> None:
    """Write the file of a network that ``load_denoised`` made of the file ``classifier``."""
    assert checkpoint.parts is not None
    assert checkpoint.card.sigma_train is not None
    first, second = checkpoint.parts["denoiser"], checkpoint.parts["classifier"]
    published = str(classifier) == PUBLISHED
    said = DenoisedFile(
        checkpoint.card.name,
        checkpoint.card.sigma_train,
        first["source"],
        first["sha256"],
        first["condition"],
        classifier.name,
        second["sha256"],
        checkpoint.card.architecture if published else None,
    )
    write_denoised_file(said, path)


def write_denoised_file(said: DenoisedFile, path: Path) -> None:
    """Write a file that ``read_denoised`` reads."""
    data = {"format": FORMAT, "version": VERSION, **vars(said)}
    write_file(path, (json.dumps(data, indent=1) + "\n").encode())


def read_denoised(path: Path, hints: Hints = NO_HINTS) -> Checkpoint:
    """The network of such a file, whose two parts lie beside it or in the folders of networks.

    Raises ``AcesError`` where one is missing or is not the one that the file means.
    """
    said = _said(path)
    denoiser = said.denoiser if said.denoiser == FFDNET else part_of(path, said.denoiser)
    classifier = Path(PUBLISHED) if said.architecture else part_of(path, said.classifier)
    hints = replace(hints, name=said.name, architecture=said.architecture or hints.architecture, normalizer=None)
    made = load_denoised(denoiser, classifier, said.sigma, hints)
    assert made.parts is not None
    for part, wanted in (("denoiser", said.denoiser_sha256), ("classifier", said.classifier_sha256)):
        if made.parts[part]["sha256"] != wanted:
            raise AcesError(f"{path}: the {part} that is found here has other weights than the one that is meant")
    if made.parts["denoiser"]["condition"] != said.condition:
        raise AcesError(
            f"{path}: at sigma {said.sigma:g} the denoiser is asked for {made.parts['denoiser']['condition']}"
        )
    return made


def _said(path: Path) -> DenoisedFile:
    if not path.is_file():
        raise AcesError(f"no checkpoint at {path}")
    value = read_object(path, LONGEST_DENOISED)
    if value.get("format") != FORMAT:
        raise AcesError(f"{path} does not say that its format is {FORMAT}")
    if value.get("version") != VERSION or isinstance(value["version"], bool):
        raise AcesError(f"{path} is of version {quoted(value.get('version'))}; known: {VERSION}")
    entries: dict[str, Any] = {name: entry for name, entry in value.items() if name not in ("format", "version")}
    try:
        return DenoisedFile(**entries)
    except TypeError as error:
        raise AcesError(f"{path}: {str(error).removeprefix('DenoisedFile.__init__() ')}") from error
    except AcesError as error:
        raise AcesError(f"{path}: {error}") from error
