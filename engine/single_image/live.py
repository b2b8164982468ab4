"""One image, certified now: the networks, loaded once, and their draws as they come.

pair = open_pair(PairSpec(certify_path, core_path))
for reply in pair.answer(case): ...      # who answers, then draws; break when you like
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain, islice, pairwise
from pathlib import Path

import torch
from torch import Tensor

from engine.datasets import DatasetCard, card, own_images
from engine.errors import AcesError
from engine.mechanisms import OWN, mechanism
from engine.models import Checkpoint, Hints, Network, load, read_normalizer
from engine.records.draws import BLOCK, Draws, concatenate
from engine.records.meta import NetworkInfo
from engine.sampling.inference import FrozenNetwork, Layout, check_network, freeze, hardware
from engine.sampling.stream import Source, Stage, sample, sample_block, segments
from engine.single_image.case import Case
from engine.single_image.messages import Core, Drawn
from engine.single_image.picture import Pixels, tensor_sha256
from engine.single_image.plan import LATER, Plan, Role
from engine.single_image.segments import roles, stage_of
from engine.single_image.subject import AsRun, Networks, Streams, check_networks, commitment, stream_index
from engine.single_image.system import LaterNetwork, NetworkHints, PairSpec, Selector
from engine.weights import files_of

PIECE = 1_000  # draws that are reported at a time, at most
KEPT = 4  # systems whose networks stay loaded


@dataclass(frozen=True, eq=False)
class Pair:
    """A certification network, frozen as it is sampled, and a core network, which answers in float32.

    ``network``: the certification network with gradients, for attacks. ``selection``: a network that selects, sampled
    as well; without one the certification network's entropies select. ``then``: the networks of the later stages of a
    chain, sampled as well.
    """

    networks: Networks
    dataset: DatasetCard
    certify: FrozenNetwork
    core: FrozenNetwork
    network: Network
    selection: FrozenNetwork | None = None
    then: tuple[FrozenNetwork, ...] = ()

    def core_answer(self, tensor: Pixels) -> int:
        """What the core network says of the exact tensor uint8 [C, H, W]."""
        return self.core_at(self.pixels(tensor))

    def core_at(self, pixels: Tensor) -> int:
        """The same of ``pixels`` float32 [C, H, W] in [0, 1]."""
        return int(self.core_logits([pixels])[0].argmax().item())

    def core_logits(self, images: Sequence[Tensor]) -> list[Tensor]:
        """The core network's logits float32 [m] of each image, float32 [C, H, W].

        One image at a time, so that what it answers depends on no other; on a CPU several beside each other, each in a
        thread that runs its operations alone.
        """

        def alone(pixels: Tensor) -> Tensor:
            return self.core(pixels[None].to(self.core.device))[0].cpu()

        if self.core.device.type != "cpu":
            return [alone(pixels) for pixels in images]
        with ThreadPoolExecutor(torch.get_num_threads(), "core", torch.set_num_threads, (1,)) as pool:
            return list(pool.map(alone, images))

    def streams(self, tensor: Pixels, plan: Plan, seed: int, challenge: str | None = None) -> Streams:
        """The streams of an image: named by everything that is fixed before the first draw."""
        digest = tensor_sha256(tensor)
        return Streams(seed, stream_index(digest), commitment(plan, self.networks, digest, challenge))

    def answer(self, case: Case) -> Iterator[Core | Drawn]:
        """Who answers a case and what the core network says, then the draws of the others, until all are drawn."""
        (logits,) = self.core_logits([self.pixels(case.tensor)])
        answer = int(logits.argmax())
        yield Core(answer, self.networks, float(logits.softmax(0)[answer]))
        yield from self.draw(case.tensor, case.plan, case.seed, case.challenge)

    def draw(self, tensor: Pixels, plan: Plan, seed: int, challenge: str | None = None) -> Iterator[Drawn]:
        """The n0 draws that guess, then the n that estimate, in the order of their streams, ``PIECE`` at a time.

        A piece ends at every look. Where several networks are sampled, their pieces alternate.
        """
        streams, pixels = self.streams(tensor, plan, seed, challenge), self.pixels(tensor)
        sampled = self._roles(plan)
        for stage, ends in ((Stage.GUESS, pieces(plan.n0)), (Stage.ESTIMATE, pieces(plan.n, plan.looks))):
            for run in _runs(ends, together=len(sampled) == 1):
                for role in sampled:
                    drawn = self._drawn(role, pixels, plan, streams, stage, run)
                    yield from (Drawn(stage.value, draws, role) for draws in drawn)

    def block(
        self, role: Role, pixels: Tensor, plan: Plan, streams: Streams, stage: Stage, block: int, draws: int = BLOCK
    ) -> Draws:
        """The first ``draws`` draws of one block of one network. ``pixels`` as ``pixels`` gives them."""
        network, score, sigma = self.sampled(role, plan)
        return sample_block(
            network, pixels, sigma, score, seed=streams.seed, index=streams.index, stage=stage, block=block,
            draws=draws, stream=streams.of(role), smoothing=plan.smoothing_card,
        )  # fmt: skip

    def pixels(self, tensor: Pixels) -> Tensor:
        """The tensor as float32 [C, H, W] in [0, 1]."""
        if tensor.shape != self.dataset.shape:
            raise AcesError(f"an image of shape {tensor.shape}; the networks read {self.dataset.shape}")
        return torch.from_numpy(tensor).float() / 255

    def _roles(self, plan: Plan) -> tuple[Role, ...]:
        """The networks that a plan samples. Raises ``AcesError`` where it is a plan for other networks."""
        check_networks(plan, self.networks)
        return roles(plan)

    def sampled(self, role: Role, plan: Plan) -> tuple[FrozenNetwork, Callable[[Tensor], Tensor], float]:
        """One network that is sampled, the score of its draws, and its noise."""
        if role == "select":
            assert self.selection is not None, "no selection network is sampled"
            return self.selection, mechanism(self.networks.mechanism).score, plan.noise_select
        network = self.then[LATER.index(role)] if role in LATER else self.certify
        return network, OWN.score, stage_of(role, plan).sigma

    def _drawn(
        self, role: Role, pixels: Tensor, plan: Plan, streams: Streams, stage: Stage, ends: Sequence[int]
    ) -> Iterator[Draws]:
        """The draws of one stream from ``ends[0]`` on to each further of the ``ends``."""
        network, score, sigma = self.sampled(role, plan)
        stream, smoothing = streams.of(role), plan.smoothing_card
        source = Source(network, score, sigma, streams.seed, lambda _: pixels, stream, smoothing)
        parts = [list(segments(streams.index, stage, *piece)) for piece in pairwise(ends)]
        came = (draws for _, draws in sample(source, chain.from_iterable(parts)))
        return (concatenate(list(islice(came, len(part)))) for part in parts)


def pieces(n: int, looks: Sequence[int] = ()) -> tuple[int, ...]:
    """Where pieces of n draws end, 0 first: at every one of ``looks``, and ``PIECE`` after the last end at most.

    >>> pieces(2_500), pieces(2_600, (20, 40, 1_500))
    ((0, 1000, 2000, 2500), (0, 20, 40, 1040, 1500, 2500, 2600))
    """
    ends = sorted({0, n, *(look for look in looks if look < n)})
    between = (range(first, last, PIECE) for first, last in pairwise(ends))
    return (*chain.from_iterable(between), n)


def _runs(ends: tuple[int, ...], *, together: bool) -> Iterator[Sequence[int]]:
    """The ends that are sampled in one go. Pieces of several networks are each sampled to their end: an open sampler
    holds torch's number of threads. So are those before ``PIECE``, since it may end there, and a sampler works ahead.
    """
    early = sum(end < PIECE for end in ends[1:]) if together else len(ends) - 1
    yield from pairwise(ends[: early + 1])
    if early < len(ends) - 1:
        yield ends[early:]


def open_once(spec: PairSpec) -> Pair:
    """The same networks as ``open_pair``, loaded at most once while they stay among the last ``KEPT``."""
    return _open_kept(spec, tuple(_version(file) for path in spec.checkpoints for file in _files(path)))


@lru_cache(maxsize=KEPT)
def _open_kept(spec: PairSpec, versions: tuple[tuple[int, int] | None, ...]) -> Pair:
    return open_pair(spec)


def _files(checkpoint: Path) -> list[Path]:
    try:
        return files_of(checkpoint)
    except AcesError:  # to be said by whoever loads it
        return [checkpoint]


def _version(path: Path) -> tuple[int, int] | None:
    """A file as it stands: what was loaded from it serves until its size or time of change differ."""
    try:
        status = path.stat()
    except OSError:  # to be said by whoever loads it
        return None
    return status.st_size, status.st_mtime_ns


def open_pair(spec: PairSpec) -> Pair:
    """Load and freeze the checkpoints. Raises ``AcesError`` where one is missing or they are of different datasets,
    or where their weights are not those of the ``sha256`` that is expected.
    """
    data = _dataset(spec)
    certification = _load(spec.certify, spec.sha256[0], _hints(spec, "certify", data))
    natural = _load(spec.core, spec.sha256[1], _hints(spec, "core", data))
    _check_one_dataset(certification, natural)
    if spec.dataset not in (None, certification.card.dataset):
        raise AcesError(f"{spec.certify} is for {certification.card.dataset}, and not for {spec.dataset}")
    dataset = data or card(certification.card.dataset)
    frozen = freeze(certification.network, spec.precision, spec.device)
    alone = freeze(natural.network, "float32", spec.device, Layout(batch=1))
    for network in (frozen, alone):
        check_network(network, torch.full(dataset.shape, 0.5), dataset.num_classes)
    networks = Networks(
        dataset.name,
        dataset.classes,
        _info(certification),
        _info(natural),
        spec.precision,
        frozen.device.type,
        as_run=_as_run(frozen),
    )
    pair = Pair(networks, dataset, frozen, alone, certification.network)
    if spec.select is not None:
        pair = _selected_by(spec.select, pair, certification, _hints(spec, "select", data))
    for part, later in zip(LATER, spec.then, strict=False):
        pair = _then(later, pair, certification, _hints(spec, part, data))
    return pair


def _dataset(spec: PairSpec) -> DatasetCard | None:
    """The dataset that is named: a known one, or the user's own; None where the files are to say it."""
    if spec.own is not None:
        return own_images(spec.own.name, spec.own.classes, spec.own.size)
    return card(spec.dataset) if spec.dataset else None


def _hints(spec: PairSpec, part: str, data: DatasetCard | None) -> Hints:
    """What is known of the network of a part."""
    return hints_of(dict(spec.hints).get(part, NetworkHints()), data, trust=spec.trust)


def hints_of(said: NetworkHints, data: DatasetCard | None, *, trust: bool) -> Hints:
    """As ``load`` takes them. Raises ``AcesError`` where a record names code that is not trusted."""
    said.check_trust(trust)
    kind = None if said.normalizer is None else read_normalizer(said.normalizer)
    known = said.training, said.sigma_train, said.weights
    return Hints(said.name, said.architecture, data, kind, *known, trust=trust)


def _then(later: LaterNetwork, pair: Pair, certification: Checkpoint, hints: Hints) -> Pair:
    """The pair with one more stage, whose network is run as the certification network is."""
    loaded = _load(later.checkpoint, later.sha256, hints)
    _check_one_dataset(certification, loaded)
    frozen = freeze(loaded.network, pair.networks.precision, str(pair.certify.device), pair.certify.layout)
    check_network(frozen, torch.full(pair.dataset.shape, 0.5), pair.dataset.num_classes)
    networks = replace(pair.networks, then=(*pair.networks.then, _info(loaded)))
    return replace(pair, networks=networks, then=(*pair.then, frozen))


def _selected_by(select: Selector, pair: Pair, certification: Checkpoint, hints: Hints) -> Pair:
    """The pair with a network that selects, run as the certification network is."""
    loaded = _load(select.checkpoint, select.sha256, hints)
    _check_one_dataset(certification, loaded)
    scored, m = mechanism(select.mechanism), pair.dataset.num_classes
    scored.check(loaded.outputs, m, str(select.checkpoint))
    frozen = freeze(loaded.network, pair.networks.precision, str(pair.certify.device), pair.certify.layout)
    check_network(frozen, torch.full(pair.dataset.shape, 0.5), scored.outputs(m))
    networks = replace(pair.networks, select=_info(loaded), mechanism=select.mechanism)
    return replace(pair, networks=networks, selection=frozen)


def _check_one_dataset(certify: Checkpoint, other: Checkpoint) -> None:
    if certify.card.dataset != other.card.dataset:
        raise AcesError(
            f"{certify.card.name} is for {certify.card.dataset}, {other.card.name} for {other.card.dataset}: "
            f"choose networks of one dataset"
        )


def _load(path: Path, sha256: str | None, hints: Hints) -> Checkpoint:
    checkpoint = load(path, hints)
    if sha256 not in (None, checkpoint.sha256):
        raise AcesError(
            f"{path} holds other weights than are expected: their sha256 is {checkpoint.sha256[:12]}…, and not "
            f"{str(sha256)[:12]}…; put the right file there"
        )
    seen, shape = checkpoint.transform, (hints.dataset or card(checkpoint.card.dataset)).shape
    if seen is not None and seen.crop not in (None, shape[1]):
        raise AcesError(f"{path} sees pictures at a size of its own; choose networks that read one tensor")
    return checkpoint


def _info(checkpoint: Checkpoint) -> NetworkInfo:
    card = checkpoint.card
    return NetworkInfo(card.name, checkpoint.sha256, card.training, card.sigma_train)


def _as_run(network: FrozenNetwork) -> AsRun:
    """The kind of machine, and how the network runs on it."""
    layout = network.identity
    return AsRun(machine(network.device), str(torch.__version__), layout.memory_format, layout.batch, layout.compiled)


def machine(device: torch.device) -> str:
    """What the last bits of a logit depend on: a GPU's name; of a CPU the instructions that kernels are chosen by."""
    if device.type != "cpu":
        return hardware(device)
    extensions = ("avx512_bf16", "vnni", "amx_tile", "amx_fp16")
    return "+".join([hardware(device), *(name for name in extensions if _supported(name))])


def _supported(extension: str) -> bool:
    asked = getattr(torch.cpu, f"_is_{extension}_supported", None)  # torch has no public name for it
    return bool(asked and asked())
