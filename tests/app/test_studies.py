"""What goes together is what is offered."""

from __future__ import annotations

import shutil
from dataclasses import replace

from app import catalog
from engine.records.runs import read_run, write_run
from tests import synthetic
from tests.app_pages import IMAGES, other_copy, write_photographs


def test_core_networks_that_were_asked_about_other_images_are_not_offered(open_page, demo):
    other_copy(demo)
    page = open_page()
    assert page.selectbox(key="core").options == [synthetic.OTHER_CORE]
    assert not page.error


def test_selection_networks_of_another_copy_are_not_offered(open_page, demo):
    own, other = synthetic.selection(0.25, IMAGES), synthetic.selection(0.5, IMAGES)
    write_run(own, demo / "own.npz")
    write_run(replace(other, meta=replace(other.meta, extra={"images": "another"})), demo / "other.npz")
    assert open_page().selectbox(key="select").options == ["entropy", "votes", own.meta.name]


def test_of_two_datasets_with_as_many_runs_the_one_whose_pictures_are_here_is_shown_first(
    open_page, demo, tmp_path, monkeypatch
):
    monkeypatch.setenv("ACES_DATA", str(tmp_path / "data"))
    pictures = demo / "fashion_mnist_images.npz"
    for path in sorted(set(demo.glob("*.npz")) - {pictures}):
        run = read_run(path)
        twin = replace(run.meta, name=f"twin-of-{run.meta.name}", dataset="cifar10")
        write_run(replace(run, meta=twin), demo / f"twin-of-{path.name}")

    def shown() -> str:
        catalog.look_again()
        return open_page().selectbox(key="dataset").value

    assert shown() == "fashion_mnist"
    write_photographs(tmp_path / "data" / "cifar10" / "test.parquet", synthetic.core(IMAGES))
    assert shown() == "cifar10"  # both: by name
    shutil.rmtree(tmp_path / "data")
    pictures.unlink()
    assert shown() == "cifar10"  # neither: by name
