"""cache.trash: deleted runs come back byte by byte, with what was noted of them."""

from __future__ import annotations

import pytest

from cache import Note, Notes, Store, Trash
from engine.errors import AcesError
from engine.records.runs import same
from tests.toy import core_run


@pytest.fixture
def place(tmp_path):
    with Store(tmp_path / "store") as store:
        store.put(core_run("a"))
    return tmp_path / "store"


def test_what_is_deleted_comes_back_as_it_was(place):
    Notes.at(place).change(["a"], label="mine")
    digest, run = Store(place).fingerprint("a"), Store(place).get("a")
    id = Trash.at(place).move("a")
    assert Store(place).metas() == []
    assert Notes.at(place).every() == {}
    assert [(one.id, one.name) for one in Trash.at(place).listing()] == [(id, "a")]
    assert Trash.at(place).restore(id) == "a"
    assert Store(place).fingerprint("a") == digest
    assert same(Store(place).get("a"), run)
    assert Notes.at(place).every() == {"a": Note("mine")}
    assert Trash.at(place).listing() == []
    with pytest.raises(AcesError, match="in the trash no longer"):
        Trash.at(place).restore(id)


def test_nothing_is_restored_over_another_run_of_the_name(place):
    id = Trash.at(place).move("a")
    other = core_run("a", wrong=7)
    Store(place).put(other)
    with pytest.raises(AcesError, match="another run is named 'a' now"):
        Trash.at(place).restore(id)
    assert same(Store(place).get("a"), other)
    Trash.at(place).move("a")
    assert Trash.at(place).restore_name("a") == "a"  # the one that was deleted last
    assert same(Store(place).get("a"), other)


def test_only_what_the_store_holds_is_deleted(place, tmp_path):
    with pytest.raises(AcesError, match="holds no run named 'b'"):
        Trash.at(place).move("b")
    assert Trash.at(tmp_path / "elsewhere").listing() == []
    assert Trash.at(tmp_path / "elsewhere").empty() == 0
    assert not (tmp_path / "elsewhere").exists()


def test_an_emptied_trash_gives_nothing_back(place):
    Trash.at(place).move("a")
    assert Trash.at(place).empty() == 1
    with pytest.raises(AcesError, match="no run named 'a' is in the trash"):
        Trash.at(place).restore_name("a")
