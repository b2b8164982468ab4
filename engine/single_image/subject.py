"""What a certificate speaks of: the image, the networks that answer, and the names of the streams of noise."""

from __future__ import annotations

import hashlib
import json
import re
import reprlib
from dataclasses import asdict, dataclass
from typing import Literal

from engine.datasets.formats import OF_STRANGERS
from engine.errors import AcesError
from engine.mechanisms import OWN
from engine.records.meta import NetworkInfo
from engine.single_image.picture import Framing
from engine.single_image.plan import LATER, NEWER, Plan, Role

Part = Literal[Role, "core"]


@dataclass(frozen=True)
class Subject:
    """What was certified: the file's sha256, and the exact tensor uint8 [C, H, W] that came of it by ``framing``."""

    file_sha256: str
    tensor_sha256: str
    shape: tuple[int, int, int]
    framing: Framing

    def __post_init__(self) -> None:
        channels, height, width = self.shape
        most = OF_STRANGERS.pixels
        if channels not in (1, 3) or not (1 <= height <= most and 1 <= width <= most // height):
            raise AcesError(f"{reprlib.repr(self.shape)} is no shape of an image: 1 or 3 channels, height and width")
        if not (is_sha256(self.file_sha256) and is_sha256(self.tensor_sha256)):
            raise AcesError("a sha256 has 64 digits, 0 to f")

    @property
    def index(self) -> int:
        """Names the image's noise streams."""
        return stream_index(self.tensor_sha256)


def stream_index(tensor_sha256: str) -> int:
    """An exact tensor's index in the names of streams. Negative, so that it is never a data set image's."""
    return -1 - int(tensor_sha256[:12], 16)


@dataclass(frozen=True)
class AsRun:
    """How the sampled networks ran: what the last bits of their logits depend on."""

    hardware: str
    torch: str
    memory_format: str
    batch: int
    compiled: bool


@dataclass(frozen=True)
class Networks:
    """Who answered: the networks by the sha256 of their weights, and how the sampled ones were run.

    ``select`` decides instead of the certification network's own entropies; ``mechanism`` is the score of a draw.
    ``as_run`` is None where it was not recorded: in version 1. ``then``: the networks of the later stages of a chain.
    """

    dataset: str
    classes: tuple[str, ...]
    certify: NetworkInfo
    core: NetworkInfo
    precision: str
    device: str
    select: NetworkInfo | None = None
    mechanism: str = OWN.name
    as_run: AsRun | None = None
    then: tuple[NetworkInfo, ...] = ()

    @property
    def parts(self) -> dict[Part, NetworkInfo]:
        """The networks by what they are for."""
        found: dict[Part, NetworkInfo] = {"certify": self.certify, "core": self.core}
        if self.select is not None:
            found["select"] = self.select
        return {**found, **dict(zip(LATER, self.then, strict=False))}


def check_networks(plan: Plan, networks: Networks) -> None:
    """Raise ``AcesError`` unless these are networks for the plan's stages, none of which stands twice.

    One network at two noises is two stages; at one noise it would be asked again what it handed on.
    """
    if (plan.sigma_select is None) != (networks.select is None):
        raise AcesError("sigma_select is the noise of a selection network: name both, or none of them")
    if len(plan.then) != len(networks.then):
        raise AcesError(f"{len(plan.then)} later stages, and {len(networks.then)} networks for them: each needs one")
    seen = set()
    for stage, info in zip(plan.stages, (networks.certify, *networks.then), strict=True):
        if (info.sha256, stage.sigma) in seen:
            raise AcesError(
                f"'{info.name}' stands twice in the chain at σ {stage.sigma:g}: what it handed on it would be asked "
                f"again; name another"
            )
        seen.add((info.sha256, stage.sigma))


@dataclass(frozen=True)
class Streams:
    """The names of an image's streams of noise. ``commitment``: what was fixed before them; empty in version 1."""

    seed: int
    index: int
    commitment: str = ""

    def of(self, role: Role) -> str:
        """What a stream's name says beside seed, index and stage: networks never share a stream."""
        return f"{role}|{self.commitment}" if self.commitment else ""


def commitment(plan: Plan, networks: Networks, tensor_sha256: str, challenge: str | None = None) -> str:
    """The sha256 of everything that may not be chosen after looking, and of the challenge.

    It is part of each stream's name: whoever changes the plan gets other noise, so nothing of the noise for one plan is
    known when another one is chosen.
    """
    planned, answering = asdict(plan), asdict(networks)
    for name, (_, usual) in NEWER.items():
        if planned[name] == usual:  # as before there was anything else: streams keep their names
            del planned[name]
    if not answering["then"]:
        del answering["then"]
    fixed = {
        "challenge": challenge,
        "networks": answering,
        "plan": planned,
        "tensor_sha256": tensor_sha256,
    }
    numbers_alike = json.loads(json.dumps(fixed), parse_int=float)  # 1 and 1.0 are one noise level
    text = json.dumps(numbers_alike, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def is_sha256(text: str) -> bool:
    """Whether ``text`` is a sha256 as hex digits."""
    return re.fullmatch("[0-9a-f]{64}", text) is not None
