"""Where segments are sampled: in this process (``sampling.sample``), on several devices of this machine, or on Ray.

An executor takes a source and the wanted segments and yields each segment with its draws, those of one block in their
order. It never writes: results go into the store by the driver alone. The draws are the same to the byte whichever
executor made them.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import groupby, islice
from queue import SimpleQueue
from typing import Any

import torch
from torch import Tensor

from engine.errors import AcesError
from engine.records.draws import BLOCK, CHUNK, Draws
from engine.sampling.inference import hardware
from engine.sampling.stream import Source, StreamPart, sample

Sampled = tuple[StreamPart, Draws]
Executor = Callable[[Source, Iterable[StreamPart]], Iterator[Sampled]]

SHARD = 40  # segments that are handed over at a time, and the rest of a block: about 10,000 draws
RETRIES = 5  # how often a shard whose worker died is given to another one


@dataclass(frozen=True, eq=False)
class Shard:
    """Work for one worker: segments, and the images that they are of, by index."""

    segments: tuple[StreamPart, ...]
    images: dict[int, Tensor]


def shards(source: Source, wanted: Iterable[StreamPart]) -> Iterator[Shard]:
    """Cut the wanted segments into shards, reading them as they are needed.

    The segments of a block stay together: shards finish in any order, but a block can only be lengthened in its own.
    """
    part: list[StreamPart] = []
    for _, block in groupby(wanted, lambda segment: (segment.index, segment.stage, segment.chunk * CHUNK // BLOCK)):
        part += block
        if len(part) >= SHARD:
            yield _shard(source, part)
            part = []
    if part:
        yield _shard(source, part)


def _shard(source: Source, part: list[StreamPart]) -> Shard:
    return Shard(tuple(part), {index: source.pixels(index) for index in {segment.index for segment in part}})


def sample_shard(source: Source, shard: Shard) -> list[Sampled]:
    """All of a shard, on the source's device."""
    return list(sample(replace(source, pixels=shard.images.__getitem__), shard.segments))


def _in_flight(
    submit: Callable[[Shard], Future[list[Sampled]]], waiting: Iterator[Shard], most: int
) -> Iterator[Sampled]:
    """Results as they come, with ``most`` shards under way, so that neither work nor results pile up."""
    running = {submit(shard) for shard in islice(waiting, most)}
    try:
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            running |= {submit(shard) for shard in islice(waiting, len(done))}
            for future in done:
                yield from future.result()
    finally:
        for future in running:
            future.cancel()


# --- several devices of one machine ------------------------------------------------------------------------------


def on_devices(devices: Sequence[str]) -> Executor:
    """An executor with one thread for each device, for example ``("cuda:0", "cuda:1")``."""

    def run(source: Source, wanted: Iterable[StreamPart]) -> Iterator[Sampled]:
        free: SimpleQueue[Source] = SimpleQueue()
        for device in devices:
            free.put(replace(source, network=source.network.on(device)))
        with ThreadPoolExecutor(len(devices)) as pool:

            def work(shard: Shard) -> list[Sampled]:
                copy = free.get()
                try:
                    return sample_shard(copy, shard)
                finally:
                    free.put(copy)

            yield from _in_flight(lambda shard: pool.submit(work, shard), shards(source, wanted), 2 * len(devices))

    return run


# --- Ray -----------------------------------------------------------------------------------------------------------


def on_ray(address: str | None = None) -> Executor:
    """An executor whose shards are Ray tasks on the CPUs, or GPUs, of a cluster (default: one on this machine).

    A task whose worker dies is retried on another one. Raises ``AcesError`` if Ray is not installed, the cluster
    cannot be reached, or its machines differ from this one in what decides the last bits of a logit.
    """
    ray = _connected(address)

    def run(source: Source, wanted: Iterable[StreamPart]) -> Iterator[Sampled]:
        device = source.network.device.type
        resources: dict[str, Any] = {"num_gpus": 1} if device == "cuda" else {"num_cpus": 1}
        slots = int(ray.cluster_resources().get("GPU" if device == "cuda" else "CPU", 0))
        if slots == 0:
            raise AcesError(f"the Ray cluster has no free {device} worker")
        task = ray.remote(max_retries=RETRIES, **resources)(_remote_shard)
        kept = [ray.put(replace(source, pixels=_no_pixels))]  # in a list: a task then gets the reference, not the value
        here = hardware(source.network.device)
        try:
            yield from _in_flight(
                lambda shard: task.remote(kept, here, shard).future(), shards(source, wanted), 2 * slots
            )
        except ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, AcesError):
                raise error.cause from error
            raise
        except ray.exceptions.RayError as error:
            raise AcesError(
                f"Ray gave up on a shard after {RETRIES} tries ({type(error).__name__}); what was done is kept: "
                f"fix the cluster and run the command again"
            ) from error

    return run


def _connected(address: str | None) -> Any:
    """The ray module, connected to its cluster."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported to anybody unless asked for
    try:
        import ray
    except ImportError as error:
        raise AcesError("Ray is not installed: pip install 'aces-explorer[ray]', or use --executor local") from error
    if not ray.is_initialized():
        asked = address or os.environ.get("RAY_ADDRESS") or None  # Ray would try the latter for minutes, in silence
        _check_reachable(asked)
        try:
            ray.init(address=address, include_dashboard=False if address is None else None, log_to_driver=False)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise AcesError(f"no Ray cluster at {asked} ({error}): start one with `ray start --head`") from error
    return ray


def _check_reachable(address: str | None) -> None:
    """Ray itself would try for ten minutes."""
    if address in (None, "auto", "local"):  # Ray looks on this machine
        return
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except (OSError, ValueError) as error:
        raise AcesError(f"no Ray cluster at {address} ({error}): start one with `ray start --head`") from error


def _no_pixels(index: int) -> Tensor:
    raise AssertionError(f"image {index} comes with its shard")


def _remote_shard(kept: list[Any], expected: str, shard: Shard) -> list[Sampled]:
    """What a Ray worker does with a shard."""
    source = _source(kept[0])
    found = hardware(source.network.device)
    if found != expected:
        raise AcesError(f"a worker computes on {found}, the driver on {expected}: their draws would differ")
    return sample_shard(source, shard)


@lru_cache(maxsize=2)
def _source(reference: Any) -> Source:
    """Fetched and frozen once in a worker, not once a shard."""
    import ray

    source: Source = ray.get(reference)
    torch.set_num_threads(1)  # a task has one CPU
    return source
