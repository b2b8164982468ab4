"""Networks of Hugging Face's libraries: ``transformers:DIR`` and ``timm:DIR``, from a folder or the local cache.

Nothing is downloaded and no code of a folder runs: weights are read as safetensors alone, built by the library's own
classes. What stands in front, and the size of its pictures, is said by the folder's own configuration.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from engine.datasets import DatasetCard, Transform
from engine.errors import AcesError
from engine.files import read_object
from engine.models import files
from engine.models.kinds import shown
from engine.models.network import Constants, Normalizer

if TYPE_CHECKING:
    from transformers import PreTrainedModel

TRANSFORMERS, TIMM = "transformers:", "timm:"
INSTALL = "pip install 'aces-explorer[hf]'"
WEIGHTS, INDEX, CONFIG, PREPROCESSING = (
    *("model.safetensors", "model.safetensors.index.json"),
    *("config.json", "preprocessor_config.json"),
)
PICKLED = ("pytorch_model.bin", "pytorch_model.bin.index.json", "model.ckpt")
MOST_JSON = 10_000_000  # bytes of a configuration: of 21,000 classes by name about 2 MB
RANGE = 1 / 255  # what networks here do already: images come in [0, 1]
BICUBIC = 3  # of Pillow's filters
CONVNEXT_WHOLE = 384  # from this side on ConvNeXt's pictures are resized and not cropped


@dataclass(frozen=True, eq=False)
class FromLibrary:
    """A network as a library built it: ``body`` maps normalised images to logits [B, ``outputs``]."""

    body: nn.Module
    name: str
    architecture: str
    outputs: int
    normalizer: Normalizer | Constants
    size: int
    transform: Transform
    classes: tuple[str, ...] = ()


class Logits(nn.Module):
    """A network that answers with an object, as one that answers with its logits."""

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        return self.model(pixel_values=x).logits


def is_of_library(path: Path) -> bool:
    """Whether a checkpoint is named as a library's: by its folder, or by its name in the cache."""
    return str(path).startswith((TRANSFORMERS, TIMM))


def read(path: Path) -> FromLibrary:
    """The network that ``transformers:DIR`` or ``timm:DIR`` names. Raises ``AcesError`` for what cannot be had."""
    library, _, where = str(path).partition(":")
    if f"{library}:" == TRANSFORMERS:
        return _transformers(_folder(library, where))
    return _timm(_folder(library, where if "/" in where or _is_folder(Path(where)) else f"timm/{where}"))


def check_classes(found: FromLibrary, data: DatasetCard) -> None:
    """Raise ``AcesError`` where a network has the dataset's classes in another order: every answer would be wrong."""
    named, known = tuple(map(_plain, found.classes)), tuple(map(_plain, data.classes))
    if named != known and sorted(named) == sorted(known):
        at = next(k for k, (a, b) in enumerate(zip(named, known, strict=True)) if a != b)
        raise AcesError(
            f"{shown(found.name)} has the classes of {data.name} in another order: its class {at} is "
            f"'{shown(found.classes[at])}', the dataset's '{shown(data.classes[at])}'; name `classes` in its order"
        )


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]+", " ", name).strip().lower()


# --- where it lies ----------------------------------------------------------------------------------------------------


def _folder(library: str, where: str) -> Path:
    """The folder of a network: named by its path, or found in the cache by the name that its hub has it under."""
    if _is_folder(Path(where)):
        return _checked(Path(where))
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError
    except ModuleNotFoundError as error:
        raise AcesError(f"{library}:{shown(where)}: no such folder, and without {INSTALL} no cache") from error
    try:
        return _checked(Path(snapshot_download(where, local_files_only=True)))  # nosec B615 # what lies here
    except (HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise AcesError(
            f"{library}:{shown(where)} is no folder and not in the cache of Hugging Face; nothing is downloaded here: "
            f"fetch it first"
        ) from error


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a name that is too long for one
        return False


def _checked(folder: Path) -> Path:
    """A folder whose weights are safetensors alone, each of which can be weights."""
    for part in ("adapter_config.json",):
        if (folder / part).exists():
            raise AcesError(f"{folder} holds an adapter, not a network: merge it into one and save that")
    parts = _parts(folder)
    if not parts:
        held = next((name for name in PICKLED if (folder / name).exists()), None)
        said = f"{held}, a pickle" if held else "no weights"
        raise AcesError(f"{folder} holds {said}: {WEIGHTS} is needed (save_pretrained writes it)")
    for part in parts:
        if not (folder / part).is_file():
            raise AcesError(f"{folder} lacks {part}, a part of its weights")
        files.read(folder / part)
    return folder


def _parts(folder: Path) -> list[str]:
    """The files that hold the weights; a part lies in the folder itself."""
    if (folder / WEIGHTS).is_file():
        return [WEIGHTS]
    if not (folder / INDEX).is_file():
        return []
    named = _json(folder / INDEX).get("weight_map")
    parts = sorted({str(part) for part in named.values()}) if isinstance(named, dict) else []
    if bad := [part for part in parts if Path(part).name != part or not part.endswith(".safetensors")]:
        raise AcesError(f"{folder / INDEX} names '{shown(bad[0])}', which is no safetensors file beside it")
    return parts


def _json(path: Path) -> Mapping[str, Any]:
    """A configuration. Raises ``AcesError`` where it is missing or none."""
    if not path.exists():
        raise AcesError(f"{path.parent} lacks {path.name}")
    return read_object(path, MOST_JSON)


# --- transformers -----------------------------------------------------------------------------------------------------


def _transformers(folder: Path) -> FromLibrary:
    said = _json(folder / CONFIG)
    if "quantization_config" in said:
        raise AcesError(f"{folder} is quantised: save the network with weights of floats")
    try:
        from transformers import AutoModelForImageClassification
        from transformers.utils import logging
    except ModuleNotFoundError as error:
        raise AcesError(f"{TRANSFORMERS}{folder} needs transformers: {INSTALL}") from error
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        model, loading = AutoModelForImageClassification.from_pretrained(  # nosec B615 # a folder of this machine
            folder, local_files_only=True, use_safetensors=True, trust_remote_code=False, output_loading_info=True,
            dtype=torch.float32, attn_implementation="eager",
        )  # fmt: skip
    except Exception as error:  # a library's, on files of anybody's
        raise AcesError(f"{folder}: transformers cannot build it ({_line(error)})") from error
    for kind in ("missing_keys", "mismatched_keys", "unexpected_keys"):
        if loading.get(kind):  # what is missing would be random numbers
            some = ", ".join(shown(str(key)) for key in sorted(map(str, loading[kind]))[:3])
            raise AcesError(f"{folder} does not fit {type(model).__name__}: {kind.replace('_', ' ')} {some}")
    normalizer, transform = _preprocessing(folder, model.config)
    labels = model.config.id2label or {}
    return FromLibrary(
        Logits(model.eval()),
        folder.name,
        f"{TRANSFORMERS}{type(model).__name__}",
        int(model.config.num_labels),
        normalizer,
        transform.crop or 0,
        transform,
        tuple(str(labels[k]) for k in sorted(labels)),
    )


def _preprocessing(folder: Path, config: Any) -> tuple[Normalizer | Constants, Transform]:
    """What is done to a picture: by the folder's own account. Raises ``AcesError`` for what is not done here."""
    said = _json(folder / PREPROCESSING)
    factor = said.get("rescale_factor", RANGE)
    if (
        not said.get("do_rescale", True)
        or not isinstance(factor, int | float)
        or not math.isclose(factor, RANGE, rel_tol=1e-3)
    ):
        raise AcesError(f"{folder / PREPROCESSING}: pixels of another range than [0, 1] are not made here")
    mean, std = said.get("image_mean"), said.get("image_std")
    normalizer: Normalizer | Constants = Normalizer.NONE
    if said.get("do_normalize", True):
        if mean is None or std is None:
            raise AcesError(f"{folder / PREPROCESSING} names no image_mean and image_std")
        normalizer = Constants(_values(folder, mean), _values(folder, std))
    side = _side(said.get("crop_size")) if said.get("do_center_crop", False) else None
    resize = _side(said.get("size")) or _side(getattr(config, "image_size", None))
    if resize is None:
        raise AcesError(f"{folder / PREPROCESSING} does not say the size of its pictures")
    side = side or resize
    if "crop_pct" in said and side == resize and side < CONVNEXT_WHOLE:
        resize = int(side / _share(folder, said["crop_pct"]))
    return normalizer, Transform(side, resize, said.get("resample", BICUBIC) == BICUBIC)


def _values(folder: Path, said: Any) -> tuple[float, ...]:
    values = said if isinstance(said, list) else [said]
    if not values or not all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
        raise AcesError(f"{folder / PREPROCESSING}: image_mean and image_std are lists of numbers")
    return tuple(float(v) for v in values)


def _share(folder: Path, said: Any) -> float:
    if isinstance(said, int | float) and 0 < said <= 1:
        return float(said)
    raise AcesError(f"{folder / PREPROCESSING}: crop_pct lies in (0, 1]")


def _side(said: Any) -> int | None:
    """A square's side, of what libraries write for one: a number, height and width, or the shorter edge."""
    if isinstance(said, dict):
        sides = {said.get("height"), said.get("width"), said.get("shortest_edge")} - {None}
        said = sides.pop() if len(sides) == 1 else None
    return said if isinstance(said, int) and not isinstance(said, bool) and 0 < said < 10_000 else None


# --- timm -------------------------------------------------------------------------------------------------------------


def _timm(folder: Path) -> FromLibrary:
    said = _json(folder / CONFIG)
    cfg = said.get("pretrained_cfg", said)
    name, outputs = said.get("architecture"), said.get("num_classes", cfg.get("num_classes"))
    if not isinstance(name, str) or not re.fullmatch(r"\w+(\.\w+)?", name) or type(outputs) is not int:
        raise AcesError(f"{folder / CONFIG} is none of timm: architecture and num_classes are needed")
    try:
        import timm
    except ModuleNotFoundError as error:
        raise AcesError(f"{TIMM}{folder} needs timm: {INSTALL}") from error
    weights = files.read(folder / WEIGHTS).weights
    try:
        body = timm.create_model(name, pretrained=False, num_classes=outputs, **_arguments(said.get("model_args")))
        body.load_state_dict(dict(weights))
    except Exception as error:  # a library's, on files of anybody's
        raise AcesError(f"{folder}: timm cannot build {name} of it ({_line(error)})") from error
    side = _side((cfg.get("input_size") or [None])[-1])
    if side is None:
        raise AcesError(f"{folder / CONFIG} does not say the size of its pictures")
    share = _share(folder, cfg.get("crop_pct", 1))
    constants = Constants(_values(folder, cfg.get("mean")), _values(folder, cfg.get("std")))
    transform = Transform(side, round(side / share), cfg.get("interpolation") == "bicubic")
    labels = said.get("label_names") or ()
    return FromLibrary(
        body.eval(), folder.name, f"{TIMM}{name}", outputs, constants, side, transform, tuple(map(str, labels))
    )


def _arguments(said: Any) -> dict[str, Any]:
    """Of a model: numbers, texts and lists, as JSON has them; no weights may be asked for."""
    return (
        {k: v for k, v in said.items() if not k.startswith(("pretrained", "checkpoint"))}
        if isinstance(said, dict)
        else {}
    )


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
