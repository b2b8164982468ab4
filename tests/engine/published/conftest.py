from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.engine.published.fabricated import INDEX, LABEL, write, write_certification, write_scores, write_selections


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the authors publish it: one certification network, one selection network, one core network."""
    root = tmp_path_factory.mktemp("published")
    folder = root / "cifar10" / "consistency" / "noise_0.25"
    write_certification(folder / "cifar10_consistency_025_certification")
    write_scores(folder / "cifar10_consistency_025_entropies")
    write_selections(folder, "cifar10_consistency_025")
    folder = root / "cifar10" / "gaussian" / "noise_0.25_selection_model" / "selection_model_binary_050"
    write_certification(folder / "selection_model_binary_050_certification")
    write_scores(folder / "selection_model_binary_050_outputs")
    write_selections(folder, "selection_model_binary_050")
    core = [(i, y, y if i else 5, int(i > 0), "0:00:00.055197") for i, y in zip(INDEX, LABEL, strict=True)]
    write(root / "cifar10" / "core" / "lanet_core_prediction", "idx|label|predict|correct|time", core)
    return root


@pytest.fixture
def data(published: Path, tmp_path: Path) -> Path:
    """A copy of ``published`` to damage."""
    return Path(shutil.copytree(published, tmp_path / "data"))
