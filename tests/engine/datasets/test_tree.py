from __future__ import annotations

import os

import pytest

from engine.datasets import own_card
from engine.datasets.tree import Tree, classes_of, pictures_below
from engine.errors import AcesError
from tests.engine.datasets.pictures import flat

HIDDEN = (".thumbnails", ".ipynb_checkpoints", "__MACOSX", "@eaDir")


@pytest.fixture
def album(tmp_path):
    """cats/a.png, cats/more/b.png, dogs/a.PNG."""
    place = tmp_path / "album"
    for name in ("cats/a.png", "cats/more/b.png", "dogs/a.PNG"):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        flat(7).save(place / name, "PNG")
    return place


def read(place):
    return own_card("own", place, 8).read("test")


def names(images) -> list[str]:
    return [picture.name for picture in images.images.encoded]


def test_folders_are_walked_as_torchvision_does(album):
    for name in ("cats/more.png", "cats/more and/z.png", "cats/more/a.png"):
        (album / name).parent.mkdir(exist_ok=True)
        flat(7).save(album / name)
    from torchvision.datasets import ImageFolder

    expected = [os.path.relpath(path, album) for path, _ in ImageFolder(album).samples]
    assert names(read(album)) == expected
    assert read(album).notes == ()


@pytest.mark.parametrize("name", HIDDEN)
def test_hidden_folders_and_those_of_systems_are_no_classes(album, name):
    (album / name).mkdir()
    flat(9).save(album / name / "a.png")
    (album / "cats" / name).mkdir()
    flat(9).save(album / "cats" / name / "a.png")
    flat(9).save(album / "cats" / "._a.png")  # AppleDouble
    found = read(album)
    assert own_card("own", album, 8).classes == ("cats", "dogs")
    assert names(found) == ["cats/a.png", "cats/more/b.png", "dogs/a.PNG"]
    assert found.notes[0].startswith("passed over 3: hidden, or a system's own (")


def test_formats_that_are_not_read_are_counted_and_named(album):
    for name in ("a.heic", "b.HEIC", "c.avif", "Makefile"):
        (album / "dogs" / name).write_bytes(b"x")
    (album / "cover.jpg").write_bytes(b"x")
    assert read(album).notes == (
        "passed over 1: beside the class folders (cover.jpg)",
        "passed over 4: formats that are not read (2 .heic, 1 .avif, 1 without a suffix)",
    )


def test_a_class_without_pictures_says_what_it_holds(album):
    (album / "birds").mkdir()
    (album / "birds" / "a.heic").write_bytes(b"x")
    with pytest.raises(AcesError, match=r"no pictures of the classes birds; passed over 1: formats.*1 \.heic"):
        read(album)


@pytest.mark.timeout(30)
def test_links_stay_inside_and_loops_end(album, tmp_path):
    flat(1).save(tmp_path / "secret.png")
    (tmp_path / "away").mkdir()
    (album / "cats" / "out.png").symlink_to(tmp_path / "secret.png")
    (album / "cats" / "in.png").symlink_to(album / "dogs" / "a.PNG")
    (album / "cats" / "loop").symlink_to(album)
    (album / "cats" / "itself.png").symlink_to(album / "cats" / "itself.png")
    (album / "birds").symlink_to(tmp_path / "away")
    found = read(album)
    assert own_card("own", album, 8).classes == ("cats", "dogs")
    assert "cats/in.png" in names(found)
    assert "cats/out.png" not in names(found)
    assert found.notes == (
        "passed over 2: links that lead out of the folder (birds, cats/out.png)",
        "passed over 1: links to folders (cats/loop)",
    )
    with pytest.raises(AcesError, match=r"1 of 5 pictures cannot be read: cats/itself\.png"):
        found.checked()


def test_a_folder_that_is_itself_a_link_is_read(album, tmp_path):
    (tmp_path / "linked").symlink_to(album)
    assert names(read(tmp_path / "linked")) == names(read(album))


@pytest.mark.timeout(30)
def test_a_pipe_is_named(album):
    os.mkfifo(album / "cats" / "pipe.png")
    with pytest.raises(AcesError, match=r"1 of 4 pictures cannot be read: cats/pipe\.png is no file"):
        read(album).checked()


def test_three_hundred_folders_in_each_other_are_walked(album):
    deep = album / "cats" / "/".join("d" * 300)
    deep.mkdir(parents=True)
    flat(3).save(deep / "z.png")
    tree = Tree(album)
    assert classes_of(tree) == ("cats", "dogs")
    assert any(name.endswith("d/z.png") for name in pictures_below(tree, "cats"))
    assert tree.notes() == ()


def test_a_folder_that_is_no_collection_of_pictures_is_not_walked_to_its_end(album, monkeypatch):
    monkeypatch.setattr("engine.datasets.tree.MOST_OTHERS", 20)
    for number in range(15):
        (album / "cats" / f"{number}.txt").write_bytes(b"")
    assert len(read(album)) == 3
    for number in range(15, 60):
        (album / "dogs" / f"{number}.txt").write_bytes(b"")
    with pytest.raises(AcesError, match=r"album holds more than \d+ files that are no pictures"):
        read(album)
