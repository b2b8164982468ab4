"""One ``load`` for every checkpoint of the field; ``save`` for this project's own: safetensors with a card inside."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save as serialize
from torch import nn

from engine.datasets import DatasetCard, Transform, card
from engine.errors import AcesError
from engine.files import opened
from engine.models import files, hugging, paths
from engine.models.denoisers import DENOISERS
from engine.models.files import Contents
from engine.models.kinds import COUNTERS, other_than_meant
from engine.models.nests import Level
from engine.models.network import Constants, Network, Normalizer, normalizer
from engine.models.own import Scripted, find, load_torchscript
from engine.models.recognise import TRAINING_ONLY, channels_of, compare, fit, outputs_of, parts_that_fit, recognise
from engine.models.registry import ARCHITECTURES, Architecture, assemble
from engine.names import fault, quoted
from engine.output import write_file
from engine.weights import DENOISED_SUFFIX, MOST_BYTES, PUBLISHED

COLOURS = 3


@dataclass(frozen=True)
class NetworkCard:
    """What a checkpoint is: enough to build it again and to know how it was trained, None where nobody says.

    ``outputs``: 2 for a selection network, whose class 0 is "core"; None for one output a class of the dataset.
    """

    name: str
    architecture: str
    dataset: str
    training: str | None
    sigma_train: float | None
    outputs: int | None = None

    def __post_init__(self) -> None:
        """Raises ``AcesError`` for what no run could be called or sampled at: a card may be anybody's."""
        for entry, value in vars(self).items():
            if (wrong := _fault(entry, value)) is not None:
                raise AcesError(f"the network's {entry} is {quoted(value)}; expected {wrong}")


def _fault(entry: str, value: object) -> str | None:
    """What an entry of a card must be and is not."""
    if value is None:
        return None if entry in ("training", "sigma_train", "outputs") else "a text"
    if entry == "outputs":
        return None if type(value) is int and value > 0 else "a number of at least 1"
    if entry == "sigma_train":
        good = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf
        return None if good else "a number of at least 0"
    return fault(value)


@dataclass(frozen=True)
class Hints:
    """What a caller knows of a checkpoint whose file may not say it; what is given wins over what can be inferred.

    ``weights``: which set of them, where a file holds several. ``trust``: whether code that the file brings may run.
    No file can say that of itself.
    """

    name: str | None = None
    architecture: str | None = None
    dataset: DatasetCard | None = None
    normalizer: Normalizer | Constants | None = None
    training: str | None = None
    sigma_train: float | None = None
    weights: str | None = None
    trust: bool = False


@dataclass(frozen=True)
class Checkpoint:
    """A loaded network, its card, and the sha256 of its weights, which is its identity.

    ``format`` of the file; ``outputs`` is None where only running the network would tell; ``normalizer`` with the
    reason ``why`` it was chosen; ``transform`` where the network wants to see pictures at a size of its own. ``parts``
    says of what a network was put together, as records tell it.
    """

    network: Network
    card: NetworkCard
    sha256: str
    format: str = "ACES Explorer"
    outputs: int | None = None
    normalizer: Normalizer | Constants = Normalizer.NORMALIZE
    why: str = "in the file"
    transform: Transform | None = None
    parts: Mapping[str, Any] | None = None


def weights_sha256(network: nn.Module) -> str:
    """Identity of a network: sha256 over its state dict (names, dtypes, shapes, bytes; normalisation included)."""
    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(f"{name}|{tensor.dtype}|{tuple(tensor.shape)}|".encode())
        digest.update(tensor.detach().cpu().reshape(-1).contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def save(path: Path, network: Network, card: NetworkCard) -> None:
    """Write weights and card to ``path``; an interrupted write leaves the old file as it was."""
    write_file(path, to_bytes(network, card))


def to_bytes(network: Network, card: NetworkCard) -> bytes:
    """Weights and card as a safetensors file."""
    tensors = {name: t.detach().cpu().contiguous() for name, t in network.state_dict().items()}
    return serialize(tensors, metadata={"aces": json.dumps(asdict(card))})


def load(path: Path, hints: Hints = Hints()) -> Checkpoint:
    """The network of a checkpoint file, of whichever format ``engine.models.files`` lists.

    Nothing of the file is run: pickles are read with ``weights_only``, a card may name known architectures only, and a
    TorchScript file, which is code, is refused without ``hints.trust``. The path ``published`` means the weights that
    the authors of ``hints.architecture`` offer, downloaded if need be. Raises ``AcesError`` for a file that is missing,
    damaged, unsafe, or fits no architecture (or not the one in ``hints``), and says what differs.
    """
    if path.name.endswith(DENOISED_SUFFIX):
        from engine.models.denoised import read_denoised  # which loads its parts from here

        return read_denoised(path, hints)
    if str(path) == PUBLISHED:
        path = _published(hints.architecture)
    if hugging.is_of_library(path):
        return _of_library(path, hints)
    if path.is_file() and files.is_torchscript(path):
        if not hints.trust:  # before anything of it is opened: loading alone runs what its author put in
            raise AcesError(
                f"{path} is a TorchScript file: it brings its own code, and loading it runs that code with your "
                f"rights. If you trust whoever made it, say --trust, or `trust: true` beside it in the config"
            )
        return _torchscript(path, hints)
    contents = files.read(path, hints.weights)
    if contents.card is not None:
        return _own(path, contents, hints)
    return _foreign(path, contents, hints)


def _own(path: Path, contents: Contents, hints: Hints) -> Checkpoint:
    """A checkpoint that ``save`` wrote: its card says everything, and is checked before it is believed."""
    assert contents.card is not None
    known = _stated(path, contents.card)
    data = _data_of(path, known.dataset, hints)
    weights = {name.removeprefix("body."): t for name, t in contents.weights.items() if name.startswith("body.")}
    chosen = find(hints.architecture) if hints.architecture else _named_by_card(path, known.architecture)
    if misfit := str(compare(weights, chosen, data.shape[0])):  # on shapes alone: nothing is allocated yet
        raise AcesError(f"{path} does not fit {chosen.name} on {known.dataset}: {misfit}")
    outputs = outputs_of(weights, chosen, data.num_classes)
    network = assemble(chosen, data, outputs)
    _check_kinds(path, contents.weights, network)
    try:
        network.load_state_dict(dict(contents.weights))
    except RuntimeError as error:
        first = str(error).splitlines()[1].strip() if "\n" in str(error) else str(error)
        raise AcesError(f"{path} does not fit {chosen.name} on {known.dataset}: {first}") from error
    given = {k: v for k in ("name", "training", "sigma_train") if (v := getattr(hints, k)) is not None}
    return Checkpoint(
        network.eval(),
        replace(known, architecture=chosen.name, **given),
        weights_sha256(network),
        outputs=outputs,
        normalizer=chosen.normalizer,
        transform=chosen.transform,
    )


def _data_of(path: Path, dataset: str, hints: Hints) -> DatasetCard:
    """What a card's dataset is: the caller's, where it is called so, or a known one."""
    if hints.dataset is not None and hints.dataset.name == dataset:
        return hints.dataset
    try:
        return card(dataset)
    except AcesError as error:
        raise AcesError(f"{path}: {error}; for pictures of your own, name the config that describes them") from error


def _stated(path: Path, stated: Mapping[str, Any]) -> NetworkCard:
    """The card in a file. Raises ``AcesError`` where an entry is missing or not what it should be."""
    known = {field.name: stated[field.name] for field in fields(NetworkCard) if field.name in stated}
    if missing := {field.name for field in fields(NetworkCard)} - set(known) - {"outputs"}:
        raise AcesError(f"{path} carries a network card without {', '.join(sorted(missing))}")
    try:
        return NetworkCard(**known)
    except AcesError as error:
        raise AcesError(f"{path} carries a damaged network card: {error}") from error


def _named_by_card(path: Path, name: str) -> Architecture:
    """The architecture that a file names: a known one. Any other name would have the file choose what is imported."""
    if name in DENOISERS:
        raise AcesError(f"{path} is a denoiser: it answers with images; name it as the `denoiser` of a classifier")
    if name not in ARCHITECTURES:
        raise AcesError(
            f"{path}: the file's card names the architecture '{name}', which is none of `models`, and nothing was "
            f"imported: say `architecture: {name}` in the config, or --architecture, yourself if you trust it"
        )
    return ARCHITECTURES[name]


def _foreign(path: Path, contents: Contents, hints: Hints) -> Checkpoint:
    """Weights of others: the architecture is told by the weights, the rest by format, path and hints."""
    chosen, level = _architecture(path, contents, hints)
    data = hints.dataset or card(chosen.dataset)
    channels = channels_of(level.weights, data.shape[0])
    if channels != data.shape[0]:
        raise AcesError(f"{path} reads images of {channels} channels; those of {data.name} have {data.shape[0]}")
    outputs = outputs_of(level.weights, chosen, data.num_classes) if chosen.head in level.weights else None
    mean, std = chosen.normalisation(data)
    kind, why = _normalizer(path, contents, level, chosen, hints, mean, std)
    body = chosen.build(outputs or data.num_classes, channels)
    _check_kinds(path, level.weights, body)
    counters = {name: tensor for name, tensor in body.state_dict().items() if name.endswith(COUNTERS)}
    weights = {name: t for name, t in level.weights.items() if not name.startswith(TRAINING_ONLY)}
    body.load_state_dict({**counters, **weights})
    network = Network(normalizer(kind, mean, std), body).eval()
    return Checkpoint(
        network,
        NetworkCard(
            hints.name or paths.name_of(path),
            chosen.name,
            data.name,
            hints.training or contents.format.training or paths.training_of(path),
            hints.sigma_train if hints.sigma_train is not None else paths.sigma_of(path),
        ),
        weights_sha256(network),
        contents.format.label,
        outputs,
        kind,
        why,
        chosen.transform,
    )


def _check_kinds(path: Path, weights: Mapping[str, torch.Tensor], network: nn.Module) -> None:
    """Raise ``AcesError`` where whole numbers stand for floats, which loading would convert in silence."""
    if (wrong := other_than_meant(weights, network.state_dict())) is not None:
        raise AcesError(f"{path} is refused: {wrong}; save the weights as they were trained")


def _architecture(path: Path, contents: Contents, hints: Hints) -> tuple[Architecture, Level]:
    """What the weights fit, and at which level of their wrappers."""
    if hints.architecture is None:
        found, level = recognise(contents.levels, str(path), contents.arch)
        meant = contents.format.aliases.get(found.name)
        return (found if meant is None else find(meant)), level
    chosen = find(hints.architecture)
    misfit, level = fit(contents.levels, chosen)
    if not misfit.size:
        return chosen, level
    if part := parts_that_fit(contents.levels, [chosen]):
        raise AcesError(f"the weights in {path} do not fit {chosen.name} ({misfit}){part}")
    try:
        fits = f"they fit {recognise(contents.levels, str(path), contents.arch)[0].name}"
    except AcesError:
        fits = "they fit no other known architecture either"
    raise AcesError(f"the weights in {path} do not fit {chosen.name} ({misfit}); {fits}")


def _normalizer(
    path: Path,
    contents: Contents,
    level: Level,
    chosen: Architecture,
    hints: Hints,
    mean: tuple[float, ...],
    std: tuple[float, ...],
) -> tuple[Normalizer | Constants, str]:
    """Which normaliser stands in front, and why: nothing in most files says it, and a wrong one ruins the accuracy."""
    asked = hints.normalizer
    if level.constants:
        return _registered(path, level, *(asked.of(len(mean)) if isinstance(asked, Constants) else (mean, std)), asked)
    if asked is not None:
        return asked, "as asked for"
    if (found := _published_normalizer(path, chosen, len(mean))) is not None:
        return found
    return contents.format.normalizer(path, chosen)


def _published_normalizer(path: Path, chosen: Architecture, channels: int) -> tuple[Normalizer | Constants, str] | None:
    """What the name of a published file says, of a network for ImageNet's pictures whose card does not say better."""
    found = paths.published_normalizer(path)
    if found is None or chosen.dataset != "imagenet" or channels != COLOURS:
        return None
    own = found[0] == paths.IMAGENET and (chosen.mean is not None or chosen.normalizer is Normalizer.NORMALIZE)
    return None if own else found


def _registered(
    path: Path,
    level: Level,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    asked: Normalizer | Constants | None = None,
) -> tuple[Normalizer | Constants, str]:
    """The normaliser whose constants a file holds. Raises ``AcesError`` if they are others than are expected."""
    whose = "you name" if isinstance(asked, Constants) else "its dataset's are"
    for name, expected in (("mean", mean), ("std", std)):
        found = level.constants.get(name)
        if found is not None and not _alike(found.flatten().float(), torch.tensor(expected)):
            said = [round(v, 4) for v in found.flatten()[:4].tolist()]
            raise AcesError(
                f"{path} normalises with {name}s {said}; {whose} {list(expected)}: name the right dataset, or "
                f"`normalizer`"
            )
    why = "its constants are in the file"
    if isinstance(asked, Constants) and "std" in level.constants:
        return asked, why
    return (Normalizer.NORMALIZE if "std" in level.constants else Normalizer.CENTER), why


def _of_library(path: Path, hints: Hints) -> Checkpoint:
    """A network of transformers or timm, which says all of itself; only the dataset is the caller's to name."""
    for name in ("architecture", "weights"):
        if getattr(hints, name) is not None:
            raise AcesError(f"{path} says its {name} itself: leave `{name}` out")
    found, data = hugging.read(path), hints.dataset or card("imagenet")
    hugging.check_classes(found, data)
    kind = found.normalizer if hints.normalizer is None else hints.normalizer
    network = Network(normalizer(kind, data.mean, data.std), found.body).eval()
    known = NetworkCard(
        hints.name or paths.name_of(Path(found.name)), found.architecture, data.name, hints.training, hints.sigma_train
    )
    why = "its own configuration says so" if hints.normalizer is None else "as asked for"
    transform = None if data.shape[1:] == (found.size, found.size) else found.transform
    return Checkpoint(
        network, known, weights_sha256(network), str(path).partition(":")[0], found.outputs, kind, why, transform,
    )  # fmt: skip


def _alike(a: torch.Tensor, b: torch.Tensor) -> bool:
    return a.shape == b.shape and torch.allclose(a, b, atol=1e-4)


def _torchscript(path: Path, hints: Hints) -> Checkpoint:
    """A network that brings its code; its identity is the file's sha256, since the code counts."""
    data = hints.dataset or card("imagenet")
    kind = hints.normalizer or Normalizer.NONE
    network = Network(normalizer(kind, data.mean, data.std), Scripted(load_torchscript(path))).eval()
    known = NetworkCard(hints.name or paths.name_of(path), "torchscript", data.name, hints.training, hints.sigma_train)
    why = "as asked for" if hints.normalizer else "a TorchScript network is taken to read images in [0, 1]"
    return Checkpoint(network, known, torchscript_sha256(path, kind), "TorchScript", None, kind, why)


def torchscript_sha256(path: Path, kind: Normalizer | Constants = Normalizer.NONE) -> str:
    """Identity of a TorchScript network: its file and the normaliser in front. The file is read, not loaded."""
    with opened(path, MOST_BYTES) as file:
        digest = hashlib.file_digest(file, "sha256")
    digest.update(str(kind).encode())
    return digest.hexdigest()


def _published(name: str | None) -> Path:
    """The file of an architecture's published weights, downloaded if need be and checked against its name's hash."""
    if name is None:
        raise AcesError(f"`{PUBLISHED}` weights: say of which architecture")
    weights = find(name).weights
    if weights is None:
        raise AcesError(f"nobody publishes weights of {name} at a known place; name a file")
    source = weights()
    if not source.startswith("https://"):
        return Path(source)
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    target = folder / source.rsplit("/", 1)[-1]
    if not target.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        partial = target.with_suffix(".partial")
        digest = target.stem.rsplit("-", 1)[-1]
        try:
            torch.hub.download_url_to_file(source, str(partial), hash_prefix=digest)
        except (OSError, RuntimeError) as error:
            raise AcesError(f"cannot download {source} ({error}); put that file at {target}") from error
        partial.replace(target)
    return target
