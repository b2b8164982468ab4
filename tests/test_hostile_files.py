"""Whatever stands where a file is expected is refused in one line by every reader: nothing is waited for, and nothing
that is far too large is read. Each row of docs/trust.md, "Files", names its test here.
"""

from __future__ import annotations

import ast
import io
import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.services.pictures import read_pictures
from cache.catalog import Catalog
from engine.datasets import own_card
from engine.datasets.images import EncodedPicture, Transform
from engine.datasets.likeness import find_again
from engine.datasets.parquet import read_parquet
from engine.deposits.checking import check_deposit
from engine.errors import AcesError
from engine.models import Hints, load
from engine.published import import_logs
from engine.records.runs import arrays, from_bytes, read_images, read_meta, read_run, to_bytes
from engine.sampling.config import read_config
from engine.single_image.certificate import MAX_BYTES
from engine.single_image.picture import read_file, read_picture
from engine.single_image.results import Results
from engine.single_image.system_file import read_system
from engine.strict_yaml import read_yaml
from tests import ROOT, toy
from tests.hostile_files import HUGE, NO_FILES, declared

LITTLE = 50_000_000  # bytes of memory, those of libraries that are imported among them
LONGEST_LINE = 600  # letters of a message beside the path


def listed(path: Path) -> None:
    """A run file among those that ship."""
    (said,) = Catalog(path.parent / "store", path.parent).listing().broken.values()
    raise AcesError(said)


def among_results(path: Path) -> None:
    place = path.rename(path.parent / "results.jsonl")
    with Results.open(place.parent, "of"):
        pass


def deposited(path: Path) -> None:
    check_deposit(path.rename(path.parent / "deposit.json").parent)


READERS: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "run": ("x.npz", read_run),
    "meta of a run": ("x.npz", read_meta),
    "images of a run": ("x.npz", read_images),
    "run that ships": ("x.npz", listed),
    "import of a run": ("x.npz", import_logs),
    "import of a log": ("x.tsv", lambda path: import_logs(path, dataset="cifar10", sigma=0.25)),
    "yaml": ("x.yaml", read_yaml),
    "config": ("x.yaml", read_config),
    "system": ("x.yaml", read_system),
    "certificate": ("x.json", lambda path: read_file(path, MAX_BYTES)),
    "picture": ("x.png", read_picture),
    "picture of a dataset": ("x.png", lambda path: EncodedPicture("x.png", path).open()),
    "parquet": ("x.parquet", lambda path: read_parquet((path,), "own", "test", Transform(crop=8), 10)),
    "likenesses": ("x.npz", lambda path: find_again(path, toy.images("test"))),
    "images that ship": ("x.npz", read_pictures),
    "checkpoint": ("x.pth", lambda path: load(path, Hints())),
    "safetensors": ("x.safetensors", lambda path: load(path, Hints())),
    "torchscript": ("x.pt", lambda path: load(path, Hints(trust=True))),
    "denoised": ("x.denoised.json", lambda path: load(path, Hints())),
    "deposit": ("x.json", deposited),
    "results": ("x.jsonl", among_results),
}
READ_AS_THEY_ARE = {  # no mistake of the reader: nothing is there, or bytes that it need not understand
    *(("yaml", "empty"), ("images that ship", "loop"), ("images that ship", "nowhere")),
    *(("certificate", "empty"), ("certificate", "noise"), ("results", "empty"), ("results", "nowhere")),
    ("results", "loop"),  # which renaming has led elsewhere
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("what", NO_FILES)
@pytest.mark.parametrize("reader", READERS)
def test_what_is_no_file_is_refused_at_once(tmp_path, reader, what):
    name, read = READERS[reader]
    NO_FILES[what](tmp_path / name)
    if (reader, what) in READ_AS_THEY_ARE:
        return
    tracemalloc.start()
    try:
        with pytest.raises(AcesError) as caught:
            read(tmp_path / name)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    said = str(caught.value).replace(str(tmp_path), "")
    assert said.isprintable()
    assert len(said) < LONGEST_LINE
    assert most < LITTLE


@pytest.mark.parametrize("read", [read_run, read_meta, read_images])
def test_an_npz_of_a_few_bytes_that_becomes_three_gigabytes_is_refused(tmp_path, read):
    run = toy.core_run()
    buffer = io.BytesIO()
    np.savez_compressed(buffer, meta=json.dumps(run.meta.to_json()), surprise=np.zeros(3), **arrays(run))
    path = tmp_path / "x.npz"
    path.write_bytes(declared(buffer.getvalue(), "surprise.npy", HUGE))
    with pytest.raises(AcesError, match=r"x\.npz: 3,000 MB unpacked; at most 1,000 MB are read"):
        read(path)


def with_meta(text: str) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, meta=text, **arrays(toy.core_run()))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ({"notes": 5}, "meta.notes is 5; expected a list of texts"),
        ({"notes": [5]}, "meta.notes is [5]; expected a list of texts"),
        ({"kind": "smoothed", "n": 1, "n0": 1, "sigma": 1e-320}, "meta.sigma is 1e-320"),
        ({"kind": "smoothed", "n": 1, "n0": 1, "sigma": 1e308}, "meta.sigma is 1e+308"),
        ({"network": "z" * 100_000}, "meta.network is 'zzz"),
        ({"version": 10**400}, "meta.version is 1000"),
    ],
)
def test_entries_of_meta_are_of_their_kinds(entries, said):
    text = json.dumps(toy.core_run().meta.to_json() | entries)
    with pytest.raises(AcesError) as caught:
        from_bytes(with_meta(text), "x.npz")
    assert said in str(caught.value)
    assert len(str(caught.value)) < LONGEST_LINE


@pytest.mark.parametrize("text", ['{"n": ' + "9" * 5_000 + "}", "[" * 100_000])
def test_meta_that_python_cannot_read_is_no_json(text):
    with pytest.raises(AcesError, match=r"x\.npz: meta is not JSON"):
        from_bytes(with_meta(text), "x.npz")


def test_runs_are_written_as_they_are_read():
    assert from_bytes(to_bytes(toy.core_run())).meta == toy.core_run().meta


NINE = [b",".join([b"*%c" % (letter - 1)] * 9) for letter in range(98, 110)]
MERGES = b"a: &a {k: 1}\n" + b"".join(b"%c: &%c {<<: [%s]}\n" % (k, k, nine) for k, nine in enumerate(NINE, 98))


@pytest.mark.parametrize(
    "text",
    [
        b"dataset: caf\xe9",
        b"a: " + b"[" * 3_000,
        b"a: !!float x",
        b"a: !!timestamp x",
        b"a: 2026-99-01",
        b"n: " + b"9" * 5_000,
        b"a: \0",
        b'dataset: cifar10\ncore: {checkpoint: "a\\0b"}\n',
        MERGES,
    ],
    ids=["latin-1", "deep", "float", "time", "month", "digits", "nul", "nul in a path", "merges"],
)
def test_configs_that_make_a_parser_stumble_are_refused_in_one_line(tmp_path, text):
    path = tmp_path / "x.yaml"
    path.write_bytes(text)
    with pytest.raises(AcesError) as caught:
        read_config(path)
    said = str(caught.value).replace(str(tmp_path), "")
    assert said.isprintable()
    assert len(said) < LONGEST_LINE


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("certify: {checkpoint: x.pth, sigma: 1e-320}", r"sigma\.0: .*greater than or equal to 0\.000001"),
        ("certify: {checkpoint: x.pth, sigma: 1e308}", r"sigma\.0: .*less than or equal to 1000000"),
        ("core: {checkpoint: x.pth}\nn: 4611686018427387904", r"n: .*less than or equal to 100000000"),
    ],
)
def test_numbers_of_a_config_that_nobody_can_mean_are_named_with_their_limit(tmp_path, entry, said):
    path = tmp_path / "x.yaml"
    path.write_text(f"dataset: cifar10\n{entry}\n")
    with pytest.raises(AcesError, match=said):
        read_config(path)


def test_a_parquet_file_of_a_few_bytes_does_not_become_gigabytes(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / "x.parquet"
    cells = pa.DictionaryArray.from_arrays(pa.array([0] * 120, pa.int32()), pa.array([bytes(1_000_000)]))
    pq.write_table(pa.table({"image": cells, "label": [0] * 120}), path, store_schema=False)
    assert path.stat().st_size < 100_000
    with pytest.raises(AcesError, match=r"x\.parquet is refused: its images have more than 10\d MB unpacked"):
        read_parquet((path,), "own", "test", Transform(crop=8), 10)


def test_a_picture_that_resizing_would_make_far_too_large_is_named(tmp_path):
    from PIL import Image

    (tmp_path / "cats").mkdir()
    Image.new("L", (60_000, 1)).save(tmp_path / "cats" / "long.png")
    with pytest.raises(AcesError, match=r"long\.png: 60000 x 1 pixels are too long to be resized to 256"):
        own_card("own", tmp_path, 224, resize=256).read("test").checked()


OPENING = {"read_bytes", "read_text", "ZipFile"}
OWN = {  # of the package itself; archives that are written; and the reader
    *("engine/files.py", "engine/records/runs.py", "engine/published/paper/__init__.py", "engine/datasets/cards.py"),
    *("app/server.py", "app/documents.py", "app/proofs.py", "app/content/certify_input.py"),
    "app/content/certify_history.py",
}


def test_readers_open_files_in_one_place():
    found = set()
    for package in ("engine", "cache", "app"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                    continue
                mode = [a.value for a in node.args if isinstance(a, ast.Constant)]
                called = node.func.attr
                if called in OPENING or (called == "open" and "rb" in mode) or ast.unparse(node.func) == "np.load":
                    found.add(str(path.relative_to(ROOT)))
    assert {name for name in found if "/components/" not in name} <= OWN
