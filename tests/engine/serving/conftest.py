from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from cache.catalog import DEMO, Catalog
from engine import System
from engine.datasets import DATASETS
from engine.single_image.picture import to_png
from engine.single_image.system_file import Deployed, to_yaml
from tests import toy
from tests.serving import Running, running


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system of toy networks."""
    folder = tmp_path_factory.mktemp("networks")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(DATASETS, "toy", toy.CARD)
        toy.checkpoint(folder / "noisy.safetensors", sigma=2.0)
        toy.checkpoint(folder / "plain.safetensors", training="standard", sigma=0.0, seed=1)
        yield System.load(folder / "noisy.safetensors", folder / "plain.safetensors", 0.8)


@pytest.fixture(scope="session")
def demo_system() -> System:
    """Of the demo's networks."""
    names = "fashion_mnist-gaussian-0.5", "fashion_mnist-core"
    return System.load(*names, 0.6, dataset="fashion_mnist", runs=Catalog(demo=DEMO))


@pytest.fixture(scope="module")
def server(demo_system: System, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A real one, in a process of its own."""
    path = tmp_path_factory.mktemp("server") / "system.yaml"
    path.write_text(to_yaml(Deployed(demo_system, {}), path))
    options = ("--n", "400", "--max-mb", "2", "--body-seconds", "1.5", "--seconds", "120", "--pictures", "4")
    with running(path, *options) as found:
        yield found


@pytest.fixture(scope="session")
def pictures() -> list[bytes]:
    """PNGs of the demo's first images."""
    with np.load(DEMO / "fashion_mnist_images.npz") as file:
        return [to_png(image) for image in file["images"][:24]]
