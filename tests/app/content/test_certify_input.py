from __future__ import annotations

import pytest

from cache.catalog import DEMO
from tests.app.content.certified_page import text
from tests.bad_pictures import BAD, GOOD


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
            page.file_uploader(key="upload").upload(name, data, "image/png").run()
            assert not page.exception
            assert message in text(page)
            assert page.button(key="start").disabled


def test_images_that_can_be_read_say_what_was_left_out(open_certify):
    page = open_certify(source="Upload")
    page.file_uploader(key="upload").upload("a.jpg", GOOD["cmyk.jpg"][0], "image/jpeg").run()
    assert "Converted from CMYK" in text(page)
    assert not page.button(key="start").disabled


def test_networks_without_weights_are_said(open_certify, monkeypatch, tmp_path, server):
    for run in DEMO.glob("*.npz"):
        (tmp_path / run.name).write_bytes(run.read_bytes())
    monkeypatch.setenv("ACES_DEMO", str(tmp_path))
    assert "the weights of 'fashion_mnist-gaussian-0.25' are missing" in text(open_certify())


def test_networks_that_cannot_be_loaded_are_said(server, open_certify):
    server.known_rate = "no readable checkpoint"
    assert "no readable checkpoint" in text(open_certify())
