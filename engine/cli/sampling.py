"""``precompute`` and ``verify``: sampling what a config asks for, and making sure of what was sampled."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cache.catalog import Catalog
from cache.store import Store
from engine.cli.deposit import is_deposit, verify_deposit
from engine.cli.options import CacheOption, TrustOption, UnitsOption
from engine.cli.printing import print_table, say
from engine.errors import AcesError
from engine.records.meta import Meta
from engine.records.runs import Run
from engine.tables import duration
from engine.weights import weights_of

if TYPE_CHECKING:
    from engine.datasets import ImageSet
    from engine.models import Checkpoint
    from engine.sampling.config import Config
    from engine.sampling.executors import Executor
    from engine.sampling.verify import Verdict


class Where(StrEnum):
    """Where draws are made."""

    LOCAL = "local"
    RAY = "ray"


class Show(StrEnum):
    """How progress is told."""

    BAR = "bar"
    JSON = "json"


ConfigArgument = Annotated[Path, typer.Argument(help="A YAML file that names images, draws and networks.")]
LoseOption = Annotated[
    str | None,
    typer.Option(help="Give each image the draws that it is worth: at most this share of the ACR is lost, as 1%."),
]
DecideOption = Annotated[
    str | None,
    typer.Option(help="End an image's draws when it is known whether it is certified at these radii: r=0.25,0.5,1."),
]
ThetaOption = Annotated[
    str | None, typer.Option(help="Of --lose a threshold or a range, 0.2:0.4 (default: all); of --decide one (1).")
]
DeviceOption = Annotated[str, typer.Option(help="cpu, cuda, cuda:1, ...")]


def precompute(
    config: ConfigArgument,
    device: DeviceOption = "cpu",
    devices: Annotated[str | None, typer.Option(help="Several of this machine: cuda:0,cuda:1.")] = None,
    n: Annotated[int | None, typer.Option(help="Estimation draws per image, instead of the config's.")] = None,
    every: Annotated[int | None, typer.Option(help="Every so-many-th image, instead of the config's.")] = None,
    limit: Annotated[int | None, typer.Option(help="At most so many images, instead of the config's.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of the noise, instead of the config's (default: 0).")] = None,
    lose: LoseOption = None,
    decide: DecideOption = None,
    theta: ThetaOption = None,
    executor: Annotated[Where, typer.Option(help="local: here. ray: on a Ray cluster.")] = Where.LOCAL,
    address: Annotated[
        str | None, typer.Option(help="Of the Ray cluster, or auto; by default one is started on this machine.")
    ] = None,
    progress: Annotated[Show, typer.Option(help="bar, or json: a line an event on stdout.")] = Show.BAR,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what is cached, missing, and how long.")] = False,
    trust: TrustOption = False,
    units_are_right: UnitsOption = False,
    cache: CacheOption = None,
) -> None:
    """Sample what the config asks for and the store lacks. Interrupt it when you like: it goes on where it was.

    Example: python -m engine precompute engine/configs/demo.yaml --n 1000
    """
    from engine.cli.progress import SamplingBar, SamplingLines
    from engine.sampling.config import read_config
    from engine.sampling.precompute import precompute as run_config

    settings = _with(read_config(config), n=n, every=every, limit=limit).with_rule(lose, decide, theta)
    if seed is not None:
        settings = settings.model_copy(update={"seed": seed})
    if trust:
        settings = settings.trusting()
    if units_are_right:
        settings = settings.model_copy(update={"units_are_right": True})
    several = [name.strip() for name in devices.split(",")] if devices else []
    if several:
        device = several[0]
    with Store(cache) as store:
        if dry_run:
            _print_plan(settings, store, device, progress)
            return
        chosen = _executor(executor, several, address)
        with SamplingBar() if progress is Show.BAR else SamplingLines() as report:
            made = run_config(settings, store, device=device, executor=chosen, report=report)
    for run in made:
        if progress is Show.JSON:
            print(json.dumps({"event": "run", "images": len(run.index), "meta": run.meta.to_json()}))
        else:
            say(f"{run.meta.kind:9}  {run.meta.name}  ({len(run.index)} images)")


def plan(
    config: ConfigArgument,
    device: DeviceOption = "cpu",
    n: Annotated[int | None, typer.Option(help="The most draws of an image, instead of the config's.")] = None,
    every: Annotated[int | None, typer.Option(help="Every so-many-th image, instead of the config's.")] = None,
    limit: Annotated[int | None, typer.Option(help="At most so many images, instead of the config's.")] = None,
    theta: Annotated[str | None, typer.Option(help="The threshold or range, 0.2:0.4, that draws are for.")] = None,
    decide: DecideOption = None,
    progress: Annotated[Show, typer.Option(help="bar, or json: a line an event on stdout.")] = Show.BAR,
    trust: TrustOption = False,
    cache: CacheOption = None,
) -> None:
    """What each budget would draw, and how long: from the guess draws, which are taken first and kept.

    Example: python -m engine plan engine/configs/demo.yaml --n 100000 --theta 0.3 --decide r=0.25,0.5
    """
    from engine.cli.progress import SamplingBar, SamplingLines
    from engine.sampling.config import read_config
    from engine.sampling.estimate import forecasts

    settings = _with(read_config(config), n=n, every=every, limit=limit)
    at = None if decide is None or theta is None else theta.split(":")[-1]  # a question is asked at one theta
    asked = settings.with_rule(decide=decide, theta=at).question
    if theta is not None:
        lose = "0.01" if settings.budget is None else str(settings.budget.lose)
        settings = settings.model_copy(update={"decide": None}).with_rule(lose, theta=theta)
    settings = settings.trusting() if trust else settings
    with Store(cache) as store, SamplingBar() if progress is Show.BAR else SamplingLines() as report:
        found = forecasts(settings, store, device=device, report=report, question=asked)
    if progress is Show.JSON:
        for one in found:
            print(json.dumps({"event": "forecast", **asdict(one), "seconds": one.seconds}))
        return
    full = {one.name: one.draws for one in reversed(found)}  # the first of each run is n for every image
    print_table(
        ("run", "rule", "images", "draws", "saves", "of the ACR", "time"),
        [
            (one.name, one.rule, one.images, f"{one.draws:,}", f"{full[one.name] / one.draws:.1f} x",
             "—" if one.kept is None else f"{100 * one.kept:.1f} %", duration(one.seconds))
            for one in found
        ],
    )  # fmt: skip
    if not found:
        say("nothing is to be sampled: the store has every run of this config")


def verify(
    run: Annotated[str, typer.Argument(help="A sampled run's name or a unique prefix, or the folder of a deposit.")],
    images: Annotated[int, typer.Option(help="How many images to sample again, chosen at random.", min=1)] = 5,
    checkpoint: Annotated[
        Path | None, typer.Option(help="The network's file; by default one of its name in the demo or in models/.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="The config that made the run: says where its checkpoint and images are.")
    ] = None,
    device: DeviceOption = "cpu",
    trust: TrustOption = False,
    cache: CacheOption = None,
) -> None:
    """Sample a handful of a run's images again and compare the counts; exit status 2 if they differ.

    Of a folder that `deposit` wrote: compare its files with their digests and its tables with what the counts give,
    from nothing but the folder.

    Example: python -m engine verify fashion_mnist-gaussian-0.5 --images 2
    """
    if is_deposit(Path(run)):
        verify_deposit(Path(run))
        return
    from engine.sampling.verify import verify as resample

    found = Catalog(cache).load(run)
    network, data = _origin(found, checkpoint, config, trust)
    verdicts = resample(found, network, data, images, device=device, report=_print_verdict)
    wrong = [verdict for verdict in verdicts if verdict.differing]
    if wrong:
        raise AcesError(_difference(found.meta, wrong, len(verdicts), device))
    say(f"'{found.meta.name}': {len(verdicts)} images sampled again, every count the same")


def _with(config: Config, **options: int | None) -> Config:
    """The config, with what the command line says instead."""
    changes = {name: value for name, value in options.items() if value is not None}
    for name, value in changes.items():
        if value < 1:
            raise AcesError(f"--{name} is {value}; it must be at least 1")
    return config.model_copy(update=changes)


def _executor(where: Where, devices: list[str], address: str | None) -> Executor:
    from engine.sampling.executors import on_devices, on_ray
    from engine.sampling.stream import sample

    if where is Where.RAY:
        if devices:
            raise AcesError(
                "--devices is for this machine; on Ray the cluster says what there is: leave one of them out"
            )
        return on_ray(address)
    if address is not None:
        raise AcesError("--address is of a Ray cluster: add --executor ray")
    return on_devices(devices) if devices else sample


def _print_plan(config: Config, store: Store, device: str, show: Show) -> None:
    from engine.sampling.estimate import estimates

    found = estimates(config, store, device=device)
    if show is Show.JSON:
        for e in found:
            print(json.dumps({"event": "estimate", **asdict(e), "seconds": e.seconds}))
        return
    columns = ("run", "kind", "images", "draws", "cached", "missing", "draws/s", "time")
    counts = [(f"{e.draws:,}", f"{e.cached:,}", f"{e.draws - e.cached:,}") for e in found]
    rates = [None if e.rate is None else f"{e.rate:,.0f}" for e in found]
    print_table(
        columns,
        [
            (e.name, e.kind, e.images, *count, rate, duration(e.seconds))
            for e, count, rate in zip(found, counts, rates, strict=True)
        ],
    )
    print(f"in all {duration(sum(e.seconds for e in found))} on this machine, from a probe of two seconds per run")


def _origin(run: Run, checkpoint: Path | None, config: Path | None, trust: bool) -> tuple[Checkpoint, ImageSet]:
    """The network and the images that a run was sampled from."""
    from engine import datasets
    from engine.models import Hints, load
    from engine.sampling.config import read_config
    from engine.sampling.plan_runs import jobs
    from engine.single_image.live import hints_of
    from engine.single_image.system import NetworkHints

    if config is not None:
        settings = read_config(config)
        settings = settings.trusting() if trust else settings
        networks = [job.checkpoint for job in jobs(settings) if job.kind == run.meta.kind]
        same = [network for network in networks if network.sha256 == run.meta.network.sha256]
        if not same:
            raise AcesError(f"{config} names no network that '{run.meta.name}' was sampled from")
        return same[0], settings.images()
    card, said = datasets.card_of(run.meta), NetworkHints.of_run(run.meta)
    hints = hints_of(said, card, trust=trust) if checkpoint is None else Hints(dataset=card, trust=trust)
    own = run.meta.origin is not None and run.meta.origin.pictures is not None
    split = run.meta.split or "test"
    data = card.read(split) if own else datasets.load(run.meta.dataset, split)
    return load(checkpoint or weights_of(run.meta), hints), data


def _print_verdict(verdict: Verdict) -> None:
    said = f"{verdict.differing:,} differ" if verdict.differing else "the same"
    print(f"image {verdict.index}: {verdict.draws:,} draws, {said}", file=sys.stderr)


def _difference(meta: Meta, wrong: list[Verdict], images: int, device: str) -> str:
    from engine.sampling.inference import hardware, resolve_device

    here, there = hardware(resolve_device(device)), (meta.as_run or {}).get("hardware", "unknown hardware")
    most = max(verdict.differing / verdict.draws for verdict in wrong)
    said = f"{len(wrong)} of {images} images of '{meta.name}' differ, by up to {most:.2%} of their draws"
    if here != there:
        return f"{said}; it was sampled on {there}, this is {here}: the last bits of logits may differ"
    return f"{said}, on the same kind of hardware ({here}): do not trust this run; remove it and sample it again"
