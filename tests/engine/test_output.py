"""What is asked to be written goes to a regular file, whole or not at all, and never in the place of anything else."""

from __future__ import annotations

import errno
import os
import socket
import stat
from pathlib import Path

import pytest

from cache.store import Store
from engine.errors import AcesError
from engine.output import confirm, make_folder, open_lock, write_file, write_folder
from engine.records.runs import read_run, same
from tests import toy
from tests.disk import full_disk

DATA = b"x" * 10_000


@pytest.fixture
def store(tmp_path):
    place = tmp_path / "store"
    with Store(place) as opened:
        opened.put(toy.core_run())
    return place


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_written_whole_and_again(tmp_path):
    for data in (b"old", DATA, b""):
        write_file(tmp_path / "out", data)
        assert (tmp_path / "out").read_bytes() == data
    assert left_in(tmp_path) == ["out"]


def test_a_new_file_has_the_mode_that_the_user_gives_files_and_an_old_one_keeps_its_own(tmp_path):
    before = os.umask(0o027)
    try:
        write_file(tmp_path / "new", DATA)
        (tmp_path / "old").touch()
        (tmp_path / "old").chmod(0o604)
        write_file(tmp_path / "old", DATA)
    finally:
        os.umask(before)
    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("new", "old")] == [0o640, 0o604]


def test_a_link_to_a_file_stays_and_its_target_is_replaced(tmp_path):
    (tmp_path / "there").mkdir()
    target = tmp_path / "there" / "target"
    (tmp_path / "link").symlink_to(target)
    for data in (b"made through the link", DATA):
        write_file(tmp_path / "link", data)
        assert (tmp_path / "link").is_symlink()
        assert target.read_bytes() == data


def test_nothing_that_stands_beside_is_written_through(tmp_path):
    """A link under the name of the file that is being written would lead to another file."""
    (tmp_path / "precious").write_bytes(b"precious")
    for name in ("out.partial", ".out.partial"):
        (tmp_path / name).symlink_to(tmp_path / "precious")
    write_file(tmp_path / "out", DATA)
    assert (tmp_path / "precious").read_bytes() == b"precious"


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind(str(path))


def make_device(path: Path) -> None:
    try:
        os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 3))  # another /dev/null
    except PermissionError:
        pytest.skip("only root may make a device, and not in every container")


def link_to_device(path: Path) -> None:
    path.symlink_to("/dev/null")


def link_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


SPECIAL = {
    make_fifo: "it is a pipe",
    make_socket: "it is a socket",
    make_device: "it is a device",
    Path.mkdir: "it is a folder",
    link_to_device: "it is a device",
    link_to_itself: "",
}


@pytest.mark.parametrize("make", SPECIAL, ids=lambda make: make.__name__)
def test_what_is_no_file_is_left_as_it_is(call, store, tmp_path, monkeypatch, make):
    folder = tmp_path / "folder"
    folder.mkdir()
    monkeypatch.chdir(folder)  # a socket's path must be short
    make(Path("there"))
    before = Path("there").lstat()
    status, out, err = call("export", "toy-core", "-o", "there", "--cache", store)
    after = Path("there").lstat()
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "cannot write there: " + SPECIAL[make] in err
    assert (before.st_ino, before.st_mode, before.st_rdev) == (after.st_ino, after.st_mode, after.st_rdev)
    assert left_in(folder) == ["there"]


@pytest.mark.parametrize("output", ["", ".", "..", "/", "/dev/null", "no/such/folder/x.npz", "x" * 300, "file/x.npz"])
def test_an_output_that_cannot_be_is_one_line_and_status_2(call, store, tmp_path, monkeypatch, output):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "file").write_text("no folder")
    monkeypatch.chdir(folder)
    status, out, err = call("export", "toy-core", "-o", output, "--cache", store)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("error: cannot write ")
    assert left_in(folder) == ["file"]
    assert Path("/dev/null").is_char_device()


def test_a_name_as_long_as_a_file_system_takes_is_written(tmp_path):
    for name in ("x" * 255, "é" * 127):
        write_file(tmp_path / name, DATA)
        assert (tmp_path / name).read_bytes() == DATA


def test_a_full_disk_keeps_the_old_file_and_leaves_nothing_beside_it(tmp_path):
    write_file(tmp_path / "out", b"old")
    with full_disk(100), pytest.raises(AcesError, match=r"cannot write .*out: "):
        write_file(tmp_path / "out", DATA)
    assert (tmp_path / "out").read_bytes() == b"old"
    assert left_in(tmp_path) == ["out"]


def test_a_disk_that_is_found_full_only_at_the_end_leaves_nothing(tmp_path, monkeypatch):
    def no_room(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", no_room)
    with pytest.raises(AcesError, match="No space left on device"):
        write_file(tmp_path / "out", DATA)
    assert left_in(tmp_path) == []


def test_an_interruption_leaves_nothing(tmp_path, monkeypatch):
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_file(tmp_path / "out", DATA)
    assert left_in(tmp_path) == []


def test_a_folder_is_made_and_what_cannot_be_one_is_an_error(tmp_path):
    make_folder(tmp_path / "a" / "b")
    assert left_in(tmp_path / "a" / "b") == []
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below", Path("/dev/null"), tmp_path / ("x" * 300)):
        with pytest.raises(AcesError, match="cannot write into"):
            make_folder(path)


def test_what_was_written_is_read_back(tmp_path):
    write_file(tmp_path / "out", DATA)
    confirm(tmp_path / "out", DATA)
    with pytest.raises(AcesError, match="holds something else"):
        confirm(tmp_path / "out", DATA + b"!")
    (tmp_path / "out").unlink()
    with pytest.raises(AcesError, match="is gone now"):
        confirm(tmp_path / "out", DATA)


def test_an_export_over_an_old_file_gives_the_run(call, store, tmp_path):
    (tmp_path / "out.npz").write_text("old")
    assert call("export", "toy-core", "-o", tmp_path / "out.npz", "--cache", store) == (0, "", "")
    assert same(read_run(tmp_path / "out.npz"), toy.core_run())


@pytest.mark.usefixtures("toy_dataset")
@pytest.mark.parametrize("output", ["/dev/null", "file", "file/x"])
def test_training_into_what_is_no_folder_is_refused_before_it_begins(call, tmp_path, monkeypatch, output):
    (tmp_path / "file").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("engine.training.fit.fit", lambda *_, **__: pytest.fail("trained"))
    command = ["train", "gaussian", "--dataset", "toy", "--sigma", "0.25", "-o", output]
    status, out, err = call(*command)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "cannot write into" in err


@pytest.mark.usefixtures("toy_dataset")
@pytest.mark.parametrize("name", ["../x", "a/b", "", "x" * 300, ".hidden", "a\x1b[31m"])
def test_a_checkpoint_whose_name_is_no_file_name_is_refused_before_it_is_trained(call, tmp_path, name):
    command = ["train", "gaussian", "--dataset", "toy", "--sigma", "0.25", "-o", tmp_path / "o", f"--name={name}"]
    status, out, err = call(*command, "--epochs", "1")
    if name == "":  # as if none was given
        assert status == 0
        return
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "the name of the checkpoint is" in err


@pytest.mark.usefixtures("toy_dataset")
def test_a_training_whose_folder_is_removed_does_not_say_that_it_is_done(call, tmp_path, monkeypatch):
    from engine.training import fit as module

    whole = module.write_whole

    def removed_between(path: Path, data: bytes) -> None:
        if path.suffix == ".json":
            path.with_suffix(".safetensors").unlink()
        whole(path, data)

    monkeypatch.setattr(module, "write_whole", removed_between)
    command = ["train", "gaussian", "--dataset", "toy", "--sigma", "0.25", "--epochs", "1", "-o", tmp_path]
    status, out, err = call(*command)
    assert (status, out) == (2, "")
    assert "toy-gaussian-0.25.safetensors was written, but is gone now" in err


def test_a_folder_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    write_folder(tmp_path / "whole", {"a": b"1", "in/b": b"2"})
    assert (tmp_path / "whole" / "in" / "b").read_bytes() == b"2"
    with pytest.raises(AcesError, match="something stands there"):
        write_folder(tmp_path / "whole", {"a": b"3"})
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(AcesError, match="something stands there"):
        write_folder(tmp_path / "link", {"a": b"3"})
    with pytest.raises(AcesError, match="cannot write"):
        write_folder(tmp_path / "nowhere" / "deep", {"a": b"3"})

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(AcesError, match="No space left"):
        write_folder(tmp_path / "half", {"a": b"1"})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "whole"]


def test_a_lock_is_a_file(tmp_path):
    with open_lock(tmp_path / "lock") as lock:
        assert lock.writable()
    kept = tmp_path / "kept"
    kept.write_text("mine")
    (tmp_path / "link").symlink_to(kept)
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe"):
        with pytest.raises(AcesError, match=f"cannot write .*{name}"):
            open_lock(tmp_path / name)
    assert kept.read_text() == "mine"
