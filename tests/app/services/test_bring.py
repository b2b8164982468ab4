"""Dropped files go through the reader that validates, in memory, and nothing but a run is kept."""

from __future__ import annotations

import io
import zipfile

import pytest

from app.services.bring import FILES, bring
from cache import Store
from engine.records.runs import to_bytes
from tests import toy

LOG = "idx\tlabel\tpredict\tradius\tcorrect\ttime\n" + "".join(
    f"{2000 * i}\t{i}\t{i}\t0.{3 + i}01\t1\t1.0\n" for i in range(5)
)
COUNTS = "".join(f"{900 - k} {100 + k} 0 0 0 0 0 0 0 0 0\n" for k in range(5))


def archive(size: int) -> bytes:
    """A small archive of many zeros, called like a run's array."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("meta.npy", bytes(size))
    return buffer.getvalue()


def stored() -> list[str]:
    with Store() as store:
        return [meta.name for meta in store.metas()] if store.exists else []


def test_runs_logs_and_counts_are_stored_and_what_is_none_is_named():
    files = [
        ("core.npz", to_bytes(toy.core_run())),
        ("cifar10_noise_0.25.txt", b"\xef\xbb\xbf" + LOG.replace("\n", "\r\n").encode()),
        ("cifar10_sigma_0.25_counts", COUNTS.encode()),
        ("photo.png", b"\x89PNG"),
    ]
    found = bring(files, 10)
    assert [one.run for one in found] == ["toy-core", "cifar10_noise_0.25", "cifar10_sigma_0.25_counts", None]
    assert found[0].said == "core, 40 images"
    assert "no run file, no log that begins with idx, and no class counts" in found[3].said
    assert stored() == sorted(one.run for one in found if one.run)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("cut.npz", to_bytes(toy.core_run())[:-300], "readable"),
        ("bomb.npz", archive(501_000_000), "501 MB unpacked; at most 500 MB are read"),
        ("other.npz", archive(10), "not a readable npz file (the magic string is not correct"),
        ("large.txt", bytes(1_000_001), "more than 1 MB"),
        ("log.txt", LOG.encode(), "no folder names the dataset"),
        ("cifar10.txt", LOG.encode(), "sigma is None"),
        ("cifar10_noise_64.txt", LOG.encode(), "sigma 64 is more than 2"),
        ("cifar10_noise_0.25.txt", LOG[:-3].encode(), "the file is cut off"),
        ("cifar10_noise_0.25.txt", LOG.encode("utf-16"), "saved as UTF-16"),
        ("cifar10_noise_0.25_certification", LOG.encode(), "one of the files of an evaluation"),
        ("../../etc/cifar10_noise_0.25\x00.txt", LOG.encode(), "visible letters"),
        ("cifar10_noise_0.25_<b>\u202e", b"", "no run file"),
    ],
)
def test_a_file_that_gives_no_run_says_why_in_one_line_and_stores_nothing(name, data, message):
    (found,) = bring([(name, data)], 1)
    assert found.run is None
    assert message in found.said
    assert "\n" not in found.said + found.file
    assert stored() == []


def test_what_file_names_do_not_say_is_filled_in():
    (found,) = bring([("log.txt", LOG.encode())], 10, dataset="cifar10", sigma=0.25)
    assert found.run == "log"
    with Store() as store:
        (meta,) = store.metas()
    assert (meta.dataset, meta.sigma, meta.created) == ("cifar10", 0.25, None)


def test_no_run_is_replaced_and_no_more_than_some_files_are_taken():
    assert bring([("cifar10_noise_0.25.txt", LOG.encode())], 10)[0].run
    other = LOG.replace("0.301", "0.302").encode()
    (found,) = bring([("cifar10_noise_0.25.txt", other)], 10)
    assert "holds another run named 'cifar10_noise_0.25'" in found.said
    many = bring([("x", b"")] * (FILES + 2), 10)
    assert [one.said for one in many[FILES:]] == [f"at most {FILES} files are taken at once"] * 2
