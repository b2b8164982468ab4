from __future__ import annotations

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app.services.limits import PICTURES
from cache.catalog import DEMO
from engine.single_image.case import frame
from engine.single_image.picture import read_picture
from tests.app.content.certified_page import text
from tests.bad_pictures import BAD, GOOD, encoded, photo

FILES = {name: GOOD[name][0] for name in ("plain.png", "turned.jpg", "palette.png")}
SHA256 = {name: read_picture(data).sha256 for name, data in FILES.items()}


@pytest.mark.parametrize("missing", ["fashion_mnist-gaussian-0.25-selection-0.5", "fashion_mnist-core"])
def test_without_a_networks_weights_there_is_a_sentence_and_no_way_to_start(
    open_certify, monkeypatch, tmp_path, missing
):
    for file in DEMO.iterdir():
        if file.name != f"{missing}.safetensors":
            (tmp_path / file.name).symlink_to(file)
    monkeypatch.setenv("ACES_DEMO", str(tmp_path))
    page = open_certify(sigma="0.25", select="fashion_mnist-gaussian-0.25-selection-0.5")
    assert [error.value for error in page.error if f"the weights of '{missing}' are missing" in error.value]
    assert page.button(key="start").disabled
    other = open_certify(sigma="0.25")
    assert other.button(key="start").disabled == (missing == "fashion_mnist-core")


def test_what_is_no_image_gets_a_sentence_and_no_button(open_certify):
    page = open_certify(source="Upload")
    for name, (data, message) in BAD.items():
        if message:
            page.file_uploader(key="upload").set_value((name, data, "image/png")).run()
            assert not page.exception
            assert message in text(page)
            assert page.button(key="start").disabled


def test_images_that_can_be_read_say_what_was_left_out(open_certify):
    page = open_certify(source="Upload")
    page.file_uploader(key="upload").upload("a.jpg", GOOD["cmyk.jpg"][0], "image/jpeg").run()
    assert "Converted from CMYK" in text(page)
    assert not page.button(key="start").disabled


def upload(page: AppTest, files: dict[str, bytes]) -> AppTest:
    return page.file_uploader(key="upload").set_value([(name, data, "") for name, data in files.items()]).run()


def test_of_several_files_the_bad_ones_are_named_and_the_good_ones_go_on(server, open_certify):
    page = upload(open_certify(source="Upload"), FILES | {"cut.png": FILES["plain.png"][:60]})
    assert not page.exception
    assert [error.value for error in page.error if "cut.png" in error.value and "damaged or cut off" in error.value]
    assert "turned.jpg: Turned upright" in text(page)
    page.button(key="start").click().run()
    assert [asked.name for asked in server.submitted] == list(FILES)
    assert len({asked.plan for asked in server.submitted}) == 1
    assert len({asked.image.tensor_sha256 for asked in server.submitted}) == len(FILES)


def test_what_is_sent_twice_is_certified_once(server, open_certify):
    page = upload(open_certify(source="Upload"), FILES | {"again.png": FILES["plain.png"]})
    assert "again.png: the same file as plain.png" in text(page)
    page.button(key="start").click().run()
    assert [asked.name for asked in server.submitted] == list(FILES)


def test_one_good_file_among_bad_ones_is_certified_alone(server, open_certify):
    page = upload(open_certify(source="Upload"), {"plain.png": FILES["plain.png"], "cut.png": FILES["plain.png"][:60]})
    page.button(key="start").click().run()
    assert [asked.name for asked in server.submitted] == ["plain.png"]
    assert not server.batch


def test_files_beyond_the_most_are_refused_in_a_sentence_and_the_others_are_taken(open_certify):
    files = {f"{k}.png": encoded(photo(40 + k, 40)) for k in range(PICTURES + 2)}
    page = upload(open_certify(source="Upload"), files)
    assert "22 files: at most 20 are taken at once. Not taken: 20.png, 21.png" in text(page)
    assert page.button(key="start").label == "Certify 20 pictures"


def test_every_picture_keeps_its_crop_while_another_one_is_looked_at(server, open_certify):
    page = upload(open_certify(source="Upload"), FILES)
    turn_crop(page, 0.25)
    page.button_group(key="looked_at").set_value(SHA256["palette.png"]).run()
    turn_crop(page, 0.75)
    page.button_group(key="looked_at").set_value(SHA256["plain.png"]).run()
    page.button(key="start").click().run()
    assert [asked.image.framing.x for asked in server.submitted] == [0.25, 0.5, 0.75]
    for asked, data in zip(server.submitted, FILES.values(), strict=True):
        tensor, subject = frame(read_picture(data), asked.image.framing, asked.image.shape)
        assert subject == asked.image
        np.testing.assert_array_equal(tensor, asked.tensor)


def test_a_crop_can_be_used_for_all_pictures(server, open_certify):
    page = upload(open_certify(source="Upload"), FILES)
    turn_crop(page, 0.25)
    page.button(key="crop_all").click().run()
    page.button(key="start").click().run()
    assert [asked.image.framing.x for asked in server.submitted] == [0.25] * 3


def turn_crop(page: AppTest, x: float) -> None:
    """Move the only window whose slider is shown."""
    (slider,) = [slider for slider in page.slider if slider.label == "Left to right"]
    slider.set_value(x).run()


def test_networks_without_weights_are_said(open_certify, monkeypatch, tmp_path, server):
    for run in DEMO.glob("*.npz"):
        (tmp_path / run.name).write_bytes(run.read_bytes())
    monkeypatch.setenv("ACES_DEMO", str(tmp_path))
    assert "the weights of 'fashion_mnist-gaussian-0.25' are missing" in text(open_certify())


def test_networks_that_cannot_be_loaded_are_said(server, open_certify):
    server.known_rate = "no readable checkpoint"
    assert "no readable checkpoint" in text(open_certify())
