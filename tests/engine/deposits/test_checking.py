"""A deposit that was changed is named for it, by file and by number, also where its manifest was changed to fit."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import replace

import pytest

from engine.deposits import MANIFEST, AloneTerms, check_deposit, make_deposit
from engine.errors import AcesError
from engine.records.origin import Origin
from engine.records.runs import read_run, to_bytes
from tests.engine.deposits.conftest import RUNS, TERMS, system

RUN = f"runs/{RUNS[1].meta.name}.npz"
CARD = f"cards/{RUNS[1].meta.name}.json"
TABLE = "tables/system-1.csv"


def rewrite(folder, place: str, data: bytes) -> None:
    """Change a file and the manifest with it."""
    (folder / place).write_bytes(data)
    manifest = json.loads((folder / MANIFEST).read_bytes())
    manifest["files"][place] = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    (folder / MANIFEST).write_text(json.dumps(manifest))


def test_an_untouched_one_has_no_problems(folder):
    found = check_deposit(folder)
    assert found.problems == ()
    assert (found.runs, found.tables) == (3, 3)
    assert found.digest == hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()


SAMPLED = replace(RUNS[1], meta=replace(RUNS[1].meta, origin=Origin("/home/somebody/noisy.pth")))


def test_of_a_run_that_was_sampled_on_this_machine_nothing_is_said_of_the_machine(tmp_path):
    place = tmp_path / "deposit"
    make_deposit(place, [SAMPLED, RUNS[2]], [system()], AloneTerms(**TERMS))
    assert check_deposit(place).problems == ()
    assert not [path for path in place.rglob("*") if path.is_file() and b"somebody" in path.read_bytes()]


def test_a_card_that_says_where_the_network_lay_as_cards_once_did_is_that_of_its_run(folder):
    card = json.loads((folder / CARD).read_text()) | {"origin": {"checkpoint": "/home/somebody/noisy.pth"}}
    rewrite(folder, CARD, json.dumps(card).encode())
    assert check_deposit(folder).problems == ()


def test_every_file_that_differs_is_missing_or_was_added_is_named(folder):
    (folder / TABLE).write_bytes((folder / TABLE).read_bytes()[:-1])
    data = bytearray((folder / RUN).read_bytes())
    data[100] ^= 1
    (folder / RUN).write_bytes(data)
    (folder / CARD).unlink()
    (folder / "notes.txt").write_text("x")
    (folder / "runs" / "deep").mkdir()
    said = {line.partition(": ")[0]: line.partition(": ")[2] for line in check_deposit(folder).problems}
    assert set(said) == {TABLE, RUN, CARD, "notes.txt", "runs/deep"}
    assert (said[CARD], said["notes.txt"], said[RUN]) == ("is missing", "was added", "differs from its sha256")


def test_a_number_that_the_counts_do_not_give_is_named_although_its_digest_fits(folder):
    lines = (folder / TABLE).read_text().splitlines()
    cells = lines[1].split(",")
    cells[2] = "0.9"
    rewrite(folder, TABLE, "\n".join([lines[0], ",".join(cells), *lines[2:], ""]).encode())
    (problem,) = check_deposit(folder).problems
    assert problem.startswith(f"{TABLE}: row 1, acr: '0.9', and the counts give ")


def test_a_run_with_other_counts_does_not_give_the_tables(folder):
    run = read_run(folder / RUN)
    counts = run.class_counts[:, ::-1]
    rewrite(folder, RUN, to_bytes(replace(run, class_counts=counts)))
    assert {line.partition(":")[0] for line in check_deposit(folder).problems} >= {TABLE, "tables/alone.csv"}


def test_a_card_that_says_something_else_is_named(folder):
    card = json.loads((folder / CARD).read_text())
    rewrite(folder, CARD, json.dumps(card | {"n": 10**6}).encode())
    assert check_deposit(folder).problems == (f"{CARD}: is not what the run says of itself",)


def test_a_run_under_another_name_and_one_that_is_none_are_named(folder):
    rewrite(folder, RUN, (folder / f"runs/{RUNS[0].meta.name}.npz").read_bytes())
    assert "holds the run" in check_deposit(folder).problems[0]
    rewrite(folder, RUN, b"PK\x03\x04 none")
    assert check_deposit(folder).problems[0].startswith(RUN)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda m: m["systems"].pop(), "tables/system-2.csv: no system is said whose table it is"),
        (lambda m: m["systems"][0].update(certify="nothing"), "no run 'nothing'"),
        (lambda m: m["systems"][0].update(alpha=0.1), f"{TABLE}: row"),
        (lambda m: m["systems"][0].update(thetas=[0.2]), "other rows"),
        (lambda m: m["systems"][0].update(name="other"), "tables/other.csv: is missing"),
    ],
)
def test_settings_that_are_not_those_of_the_tables_are_named(folder, change, said):
    manifest = json.loads((folder / MANIFEST).read_bytes())
    change(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest))
    assert any(said in line for line in check_deposit(folder).problems)


def test_links_pipes_and_sizes_are_not_followed(folder, tmp_path):
    secret = tmp_path / "secret"
    shutil.copy(folder / TABLE, secret)
    (folder / TABLE).unlink()
    (folder / TABLE).symlink_to(secret)
    (folder / CARD).unlink()
    os.mkfifo(folder / CARD)
    with (folder / RUN).open("r+b") as file:
        file.truncate(1 << 40)  # a hole: nothing on the disk
    (folder / "loop").symlink_to(folder)
    said = {line.partition(": ")[0]: line.partition(": ")[2] for line in check_deposit(folder).problems}
    assert (said[TABLE], said[CARD], said["loop"]) == ("is a link", "is no regular file", "was added")
    assert said[RUN].startswith("differs: it has 1,099,511,627,776 bytes")


def test_a_room_behind_a_link_is_not_entered(folder, tmp_path):
    shutil.move(folder / "cards", tmp_path / "cards")
    (folder / "cards").symlink_to(tmp_path / "cards")
    found = check_deposit(folder).problems
    assert len(found) == 3
    assert all("behind a link" in line for line in found)


@pytest.mark.parametrize(
    "make", [lambda p: None, lambda p: os.mkfifo(p), lambda p: p.symlink_to("/etc/passwd"), lambda p: p.mkdir()]
)
def test_without_a_manifest_there_is_no_deposit(tmp_path, make):
    make(tmp_path / MANIFEST)
    with pytest.raises(AcesError, match=MANIFEST) as error:
        check_deposit(tmp_path)
    assert len(str(error.value).splitlines()) == 1
