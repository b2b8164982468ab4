"""Disks that are full, that cannot be written to, and that go away under a command."""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.faults.children import Child, command
from benchmarks.faults.commands import COMMANDS, DisturbedCommand
from benchmarks.faults.kills import finish
from benchmarks.faults.trials import Scene, Survival, scenes, tried
from tests.disk import full_disk

LEAST_ROOM = 40_000  # bytes beyond what a command begins with: less is refused before it has begun anything
LOOKS = (("runs",), ("table", "--certify", "toy-noisy", "--core", "toy-core"), ("export", "toy-noisy", "-o", "out.npz"))


def full(seed: str, seconds: float, commands: Iterable[DisturbedCommand] = COMMANDS) -> Iterator[Survival]:
    """A file system of random size fills up; where none can be mounted, no file may grow beyond it."""
    chosen = tuple(commands)
    for scene in scenes(chosen):
        with _small(scene.room / "probe", 1 << 20) as is_mounted:
            note = "a small tmpfs" if is_mounted else "RLIMIT_FSIZE"
        what = f"`{scene.command.name}` on a disk that fills up"
        yield tried(what, seed, seconds / len(chosen), _filling(scene), note)


def _filling(scene: Scene) -> Callable[[random.Random], int]:
    def trial(chance: random.Random) -> int:
        begin, end = _size(scene.room / "begin"), _size(scene.room / "undisturbed")
        room = begin + chance.randrange(LEAST_ROOM, max(2 * (end - begin), 2 * LEAST_ROOM))
        small = scene.room / "small"
        with _small(small, room) as is_mounted:
            shutil.copytree(scene.room / "begin", small / "try")
            function, limit = (command, ()) if is_mounted else (limited, (room,))
            Child(scene.room / "said", function, *limit, *scene.command.words(small / "try")).ended()
            folder = scene.room / "try"
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(small / "try", folder)
        finish(scene, folder)
        return 1

    return trial


def limited(limit: int, *words: str) -> None:
    """A command that may make no file larger than so many bytes."""
    with full_disk(limit):
        command(*words)


def _size(folder: Path) -> int:
    """Bytes of a folder's files, each to the next 4 KiB."""
    return sum(-(-path.stat().st_size // 4096) * 4096 for path in folder.rglob("*") if path.is_file())


@contextmanager
def _small(folder: Path, size: int) -> Iterator[bool]:
    """``folder`` as a file system of its own of so many bytes, or, where that cannot be, as any; whether it is one."""
    folder.mkdir(exist_ok=True)
    is_mounted = _done("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder))
    try:
        yield is_mounted
    finally:
        if is_mounted:
            _done("umount", str(folder))
        shutil.rmtree(folder, ignore_errors=True)


def _done(*words: str) -> bool:
    try:
        return subprocess.run(words, capture_output=True, check=False).returncode == 0
    except OSError:  # no such program here
        return False


def read_only(seed: str, seconds: float) -> Iterator[Survival]:
    """A finished store on a file system that takes no writes: listed, tabulated and exported all the same."""
    deposit = next(one for one in COMMANDS if one.name == "deposit")
    for scene in scenes([deposit]):
        with _small(scene.room / "small", 1 << 24) as is_mounted:
            if is_mounted:
                place = scene.room / "small"
                shutil.copytree(scene.room / "begin" / "store", place / "store")
                _done("mount", "-o", "remount,ro", str(place))
                yield tried("`runs`, `table`, `export` of a read-only store", seed, seconds, _looking(scene, place))


def _looking(scene: Scene, place: Path) -> Callable[[random.Random], int]:
    def trial(chance: random.Random) -> int:
        for words in LOOKS:
            said = [str(scene.room / word) if word.endswith(".npz") else word for word in words]
            child = Child(scene.room / "said", command, *said, "--cache", str(place / "store"))
            assert child.ended() == 0, child.words[-200:]
        words = ("import", str(scene.room / "out.npz"), "--cache", str(place / "store"), "--replace")
        assert Child(scene.room / "said", command, *words).ended() in (0, 2)
        return len(LOOKS) + 1

    return trial


def vanishing(seed: str, seconds: float, commands: Iterable[DisturbedCommand] = COMMANDS) -> Iterator[Survival]:
    """The store is removed, or moved away, at a random instant of the command, which is then called again."""
    chosen = [one for one in commands if one.store is not None and one.name in ("precompute", "import")]
    for scene in scenes(chosen):
        what = f"the store is removed under `{scene.command.name}`"
        yield tried(what, seed, seconds / len(chosen), _removing(scene))


def _removing(scene: Scene) -> Callable[[random.Random], int]:
    def trial(chance: random.Random) -> int:
        folder = scene.begin()
        store = folder / str(scene.command.store)
        child = Child(scene.room / "said", command, *scene.command.words(folder))
        child.wait(chance.uniform(0, scene.seconds))
        if chance.random() < 0.5:
            shutil.rmtree(store, ignore_errors=True)
        elif store.exists():
            store.rename(store.with_name("away"))
        child.ended()
        shutil.rmtree(store, ignore_errors=True)
        if (scene.room / "begin" / store.name).exists():
            shutil.copytree(scene.room / "begin" / store.name, store)
        finish(scene, folder)
        return 1

    return trial
