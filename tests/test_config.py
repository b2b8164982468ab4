from __future__ import annotations

import pytest
from PIL import Image

from engine.config import read_config
from engine.errors import AcesError


@pytest.fixture
def pets(tmp_path):
    for k, name in enumerate(["cats/a.png", "cats/b.png", "dogs/c.png"]):
        (tmp_path / "pets" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (k, k, k)).save(tmp_path / "pets" / name)
    return tmp_path


def write(folder, text):
    path = folder / "config.yaml"
    path.write_text(text)
    return path


def test_pictures_of_ones_own_lie_beside_the_config(pets):
    config = read_config(write(pets, "dataset: pets\ndata: {path: pets, size: 4}\nevery: 2\n"))
    assert config.card().classes == ("cats", "dogs")
    assert config.images().index.tolist() == [0, 2]
    assert config.images().image(0).shape == (3, 4, 4)


def test_damaged_pictures_stop_a_config_unless_it_skips_them(pets):
    (pets / "pets" / "dogs" / "c.png").write_bytes(b"")
    with pytest.raises(AcesError, match="1 of 3 pictures cannot be read"):
        read_config(write(pets, "dataset: pets\ndata: {path: pets, size: 4}\n")).images()
    skipping = read_config(write(pets, "dataset: pets\ndata: {path: pets, size: 4, skip_damaged: true}\n"))
    assert skipping.images().index.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("{path: pets}", "unknown dataset 'pets'; known: .*; your own pictures need `size` under `data`"),
        ("{path: absent, size: 4}", "there is no folder .*absent"),
        ("{path: pets, size: 0}", "data.size: Input should be greater than or equal to 1"),
        ("{path: pets, sizes: 4}", "data.sizes: Extra inputs are not permitted"),
        ("{size: 4}", "data.path: Field required"),
    ],
)
def test_data_that_cannot_be_read_is_said_before_anything_runs(pets, data, message):
    with pytest.raises(AcesError, match=message):
        read_config(write(pets, f"dataset: pets\ndata: {data}\n"))
