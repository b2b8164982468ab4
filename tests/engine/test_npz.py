from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest

from engine.errors import AcesError
from engine.npz import names, read_arrays
from tests.hostile_files import declared

MOST = 1_000_000


def packed(**arrays: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def test_the_arrays_that_are_asked_for_are_read_as_numpy_reads_them():
    data = packed(a=np.arange(6).reshape(2, 3), b=np.array("text ü"), c=np.zeros((0, 4), np.float32))
    assert names(io.BytesIO(data)) == ["a", "b", "c"]
    found = read_arrays(io.BytesIO(data), ("a", "b", "c", "d"), MOST)
    with np.load(io.BytesIO(data)) as expected:
        assert found.keys() == set(expected.files)
        for name in expected.files:
            np.testing.assert_array_equal(found[name], expected[name])
            assert found[name].dtype == expected[name].dtype
    assert list(read_arrays(io.BytesIO(data), ("b",), MOST)) == ["b"]


def test_sizes_are_added_up_before_anything_is_unpacked():
    data = declared(packed(a=np.zeros(3), other=np.zeros(5)), "other.npy", 3_200_000_000)
    with pytest.raises(AcesError, match="3,200 MB unpacked; at most 1 MB are read"):
        read_arrays(io.BytesIO(data), ("a",), MOST)


def test_one_array_may_have_a_limit_of_its_own():
    data = packed(meta=np.zeros(100), other=np.zeros(1_000))
    assert len(read_arrays(io.BytesIO(data), ("meta",), MOST, {"meta": 2_000})["meta"]) == 100
    with pytest.raises(AcesError, match="meta has 928 bytes; at most 900 are read"):
        read_arrays(io.BytesIO(data), ("meta",), MOST, {"meta": 900})


def test_a_shape_is_not_believed():
    buffer = io.BytesIO()
    head = io.BytesIO()
    shape = {"descr": "<f8", "fortran_order": False, "shape": (2**40,)}
    np.lib.format.write_array_header_1_0(head, shape)
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("a.npy", head.getvalue())
    with pytest.raises(AcesError, match=r"a\.npy has other bytes than its shape"):
        read_arrays(io.BytesIO(buffer.getvalue()), ("a",), MOST)


@pytest.mark.parametrize("name", ["a", "unknown"])
def test_objects_are_refused_under_any_name(name):
    data = packed(**{name: np.array([{}], object)})
    with pytest.raises(AcesError, match="Object arrays cannot be loaded"):
        read_arrays(io.BytesIO(data), ("a",), MOST)


def test_remarks_of_numpy_stay_inside(recwarn):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        head = b"{'descr': '<i8', 'fortran_order': False, 'shape': (1L,), }".ljust(117) + b"\n"
        file.writestr("a.npy", b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head + bytes(8))
    assert read_arrays(io.BytesIO(buffer.getvalue()), ("a",), MOST)["a"].tolist() == [0]
    assert not recwarn.list
