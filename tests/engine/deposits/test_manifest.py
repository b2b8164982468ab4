"""A manifest is a stranger's file: what it cannot mean, and where it would lead, is refused in one line."""

from __future__ import annotations

import json

import pytest

from engine.deposits.manifest import LARGEST_FILE, LARGEST_MANIFEST, MANIFEST, read_manifest
from engine.errors import AcesError

SHA = "0" * 64


@pytest.fixture
def written(folder) -> dict:
    return json.loads((folder / MANIFEST).read_bytes())


def test_what_is_written_is_read(folder):
    data = (folder / MANIFEST).read_bytes()
    found = read_manifest(data)
    assert found.to_bytes() == data
    assert [one.table for one in found.systems] == ["tables/system-1.csv", "tables/system-2.csv"]
    assert len(found.inside("runs")) == len(found.inside("cards")) == 3


@pytest.mark.parametrize(
    "place",
    [
        "../x", "runs/../../x", "/etc/passwd", "runs//x", "runs/a/b", "runs/", "runs/.x", "runs\\x", "C:\\x",
        "notes.txt",
        "runs/a\nb", "runs/\u202ex", "deposit.json", "", "tables", "runs/" + "x" * 300, "README.md/x",
    ],
)  # fmt: skip
def test_a_file_elsewhere_is_refused(written, place):
    written["files"][place] = {"size": 1, "sha256": SHA}
    with pytest.raises(AcesError) as error:
        read_manifest(json.dumps(written).encode())
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": "x"}, "format"),
        ({"version": 2}, "version 2"),
        ({"version": None}, "version"),
        ({"more": 1}, "more"),
        ({"made_by": "x" * 300}, "made_by"),
        ({"systems": "x"}, "systems"),
        ({"files": {"runs/x.npz": {"size": LARGEST_FILE + 1, "sha256": SHA}}}, "size"),
        ({"files": {"runs/x.npz": {"size": -1, "sha256": SHA}}}, "size"),
        ({"files": {"runs/x.npz": {"size": 1, "sha256": "xyz"}}}, "sha256"),
    ],
)
def test_what_is_no_manifest_is_refused(written, change, said):
    with pytest.raises(AcesError, match=said):
        read_manifest(json.dumps(written | change).encode())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": "../x"}, "no name of a system"),
        ({"name": "x" * 300}, "name"),
        ({"correction": "none"}, "correction"),
        ({"bound": "none"}, "bound"),
        ({"thetas": []}, "thetas"),
        ({"thetas": [0.5] * 5000}, "thetas"),
        ({"alpha": "x"}, "alpha"),
        ({"name": "SYSTEM-2"}, "two systems"),
    ],
)
def test_what_is_no_system_is_refused(written, change, said):
    written["systems"][0] |= change
    with pytest.raises(AcesError, match=said):
        read_manifest(json.dumps(written).encode())


@pytest.mark.parametrize(
    "data",
    [
        b"", b"{", b"[]", b"null", b'{"format": NaN}', b'{"a": 1, "a": 2}', b"[" * 200_000, b"\xff",
        b" " * (LARGEST_MANIFEST + 1),
    ],
)  # fmt: skip
def test_what_is_no_json_is_refused(data):
    with pytest.raises(AcesError, match=MANIFEST):
        read_manifest(data)
