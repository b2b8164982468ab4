from __future__ import annotations

import pytest

from tests.engine.datasets.pictures import flat


@pytest.fixture
def pets(tmp_path):
    """Four pictures of two classes, one of them grey."""
    folder = tmp_path / "pets"
    for name, picture in {
        "dogs/b.png": flat((0, 0, 255)),
        "dogs/a.png": flat((0, 255, 0), (16, 8)),
        "cats/z.png": flat((255, 0, 0)),
        "cats/grey.png": flat(7, mode="L"),
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        picture.save(folder / name)
    return folder
