"""A bounded version of ``python -m benchmarks.faults``, and that it notices what does not survive."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import sys
import time
from dataclasses import replace

import pytest

from benchmarks.faults import clocks, damage, disks, faketime, fuzz, guided, kills, servers
from benchmarks.faults.__main__ import main as faults_main
from benchmarks.faults.children import FaultError
from benchmarks.faults.commands import COMMANDS
from benchmarks.faults.fuzz import CORPUS, SlowError
from benchmarks.faults.readers import READERS, FuzzedReader
from benchmarks.faults.trials import Scene, tried
from tests.waiting import wait_until

EXAMPLES = 12  # changed files for each reader, the same ones at every run
BY_NAME = {command.name: command for command in COMMANDS}
MEND = frozenset(
    {"address", "store-note", "store-view", "store-trash", "store-card"}
)  # which pass over what is damaged


# --- strangers' files ------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("toy_dataset")
@pytest.mark.parametrize("name", READERS)
def test_of_files_that_were_changed_nothing_comes_out_but_an_object_or_a_sentence(name):
    found = fuzz.fuzz(READERS[name], EXAMPLES)
    assert found.faults == {}
    assert found.tries >= EXAMPLES
    assert found.refused or name in MEND


def test_the_corpus_is_of_readers_that_are_there_and_small():
    files = [path for path in CORPUS.rglob("*") if path.is_file()]
    assert {path.parent.name for path in files} <= set(READERS)
    assert sum(path.stat().st_size for path in files) < 30_000


def reader(read, **more: object) -> FuzzedReader:
    return FuzzedReader("made up", lambda: [b'{"a": [1, 2]}'], read, **more)


def test_an_error_of_another_kind_is_a_fault_with_its_place_and_its_smallest_file(tmp_path):
    found = fuzz.fuzz(reader(json.loads), 40)
    assert found.tries == 41
    assert any(where.startswith("JSONDecodeError in decoder.py:") for where in found.faults)
    kept = fuzz.keep(found, tmp_path)
    assert sorted(path.read_bytes() for path in kept) == sorted(found.faults.values())
    assert not fuzz.fuzz(reader(json.loads, also=(ValueError, RecursionError)), 40).faults


def test_the_same_seed_gives_the_same_files():
    digests = []
    for seed in (None, None, 1, 2):
        seen = hashlib.sha256()
        fuzz.fuzz(reader(seen.update), 20, seed)
        digests.append(seen.hexdigest())
    assert digests[0] == digests[1]
    assert len(set(digests[1:])) == 3


def test_a_reader_that_never_ends_is_a_fault(monkeypatch):
    monkeypatch.setattr(fuzz, "SECONDS", 0.01)

    def endless(data: bytes) -> None:
        while True:
            hashlib.sha256(data)

    found = fuzz.fuzz(reader(endless, mutants=READERS["run"].mutants), 1)
    assert any(where.startswith(SlowError.__name__) for where in found.faults)


# --- kills and disks ------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", ["import", "deposit", "certify", "store repair"])
def test_a_command_that_is_killed_and_called_again_ends_as_an_undisturbed_one(name):
    found = list(kills.kills("0", 0, [BY_NAME[name]]))
    assert [one.faults for one in found] == [[], []]
    assert all(one.is_sound for one in found)


@pytest.mark.slow
@pytest.mark.parametrize("fault", [disks.full, disks.vanishing, kills.writers, clocks.jumps])
def test_a_command_survives_what_becomes_of_its_disk_its_clock_and_others_beside_it(fault):
    found = list(fault("0", 0, [BY_NAME["import"]]))
    assert [one.faults for one in found] == [[]]
    assert found[0].tries == found[0].survived == 1


@pytest.mark.slow
@pytest.mark.parametrize("part", [servers.served, servers.page])
def test_what_goes_on_for_others_survives_its_kills(part):
    found = list(part("0", 0))
    assert [one.faults for one in found] == [[]] * len(found)
    assert all(one.is_sound and one.tries for one in found)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("faketime") is None, reason="needs faketime (apt-get install faketime)")
@pytest.mark.parametrize("name", faketime.JUMPED)
def test_a_command_is_resumed_by_another_clock(name):
    found = list(faketime.resumptions("0", 0, [BY_NAME[name]]))
    assert [one.faults for one in found] == [[], []]
    assert all(one.is_sound and one.tries for one in found)


def test_without_faketime_the_part_says_so(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    (found,) = faketime.resumptions("0", 0)
    assert (found.tries, found.is_sound) == (0, True)
    assert "skipped: faketime is not installed" in found.line


@pytest.mark.usefixtures("toy_dataset")
def test_without_atheris_the_guided_part_says_so(monkeypatch, capsys):
    monkeypatch.setattr(guided, "is_installed", lambda: False)
    words = ["faults", "fuzz", "--fuzz", "1", "--readers", "counts", "--guided", "5"]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as ended:
        faults_main()
    logging.disable(logging.NOTSET)
    assert not ended.value.code
    assert "skipped: atheris is not installed: pip install atheris" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.skipif(not guided.is_installed(), reason=guided.MISSING)
def test_atheris_drives_a_reader_and_counts():
    found = guided.guide(READERS["counts"], 2, 1)
    assert found.faults == {}
    assert found.tries > found.refused > 0


@pytest.mark.parametrize("harm", [damage.flipped, damage.cut, damage.planted, damage.stale])
@pytest.mark.parametrize("seed", ["0", "1"])
def test_a_damaged_store_gives_what_was_written_or_a_sentence(harm, seed):
    (found,) = harm(seed, 0)
    assert found.is_sound, found.faults


def test_a_command_sees_the_clock_jump(monkeypatch):
    monkeypatch.setattr(time, "time", time.time)  # put back afterwards, and so is the other
    monkeypatch.setattr(time, "time_ns", time.time_ns)
    moments = []

    def called(*words):
        moments.append(time.time())
        wait_until(lambda: time.time() < moments[0] - 1, "the jump")
        moments.extend([time.time(), time.time_ns() / 1e9])

    monkeypatch.setattr(clocks, "command", called)
    clocks.command_while_the_clock_jumps(-clocks.HOUR, 0.05, "runs")
    assert [round((moment - moments[0]) / clocks.HOUR, 2) for moment in moments] == [0, -1, -1]


def test_what_does_not_survive_is_counted_and_told():
    chances = []

    def trial(chance):
        chances.append(chance.random())
        raise FaultError("gone")

    found = tried("a thing", "7", 0, trial)
    assert (found.tries, found.survived, found.is_sound) == (1, 0, False)
    assert found.faults == ["a thing, try 0 of seed 7: gone"]
    assert found.line.startswith("| a thing | 1 | 0 | ")
    tried("a thing", "7", 0, trial)
    assert chances[0] == chances[1]


def test_a_result_that_differs_is_a_fault(tmp_path):
    command = replace(BY_NAME["import"], result=lambda folder: {"a": 1, "b": 2})
    scene = Scene(command, tmp_path, {"a": 1, "b": 3, "c": 4}, 1.0)
    with pytest.raises(FaultError, match="ended in other results than an undisturbed import: b, c"):
        scene.check(tmp_path)
