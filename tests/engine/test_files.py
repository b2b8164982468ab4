from __future__ import annotations

import io
import os
import zipfile

import pytest

from engine import files
from engine.errors import AcesError
from engine.files import MOST_DIRECTORY, SHOWN, FileError, opened, read, read_object, reason, shown, unzipped


def test_a_file_of_the_size_that_is_allowed_is_read_and_one_byte_more_is_refused(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"12345")
    assert read(path, 5) == b"12345"
    with opened(path, 5) as file:
        assert files.size(file) == 5
        assert file.read() == b"12345"
    for reading in (read, opened):
        with pytest.raises(FileError, match=r"a: more than 0 MB, which is not read"):
            reading(path, 4)


def test_a_file_without_a_size_is_read_no_further_than_is_allowed():
    with pytest.raises(FileError, match=r"status: more than 0 MB"):
        read(files.Path("/proc/self/status"), 10)


def test_messages_call_a_file_as_they_are_told(tmp_path):
    with pytest.raises(FileError, match=r"^row 3 cannot be read \(No such file or directory\)$"):
        read(tmp_path / "absent", 5, name="row 3")


def test_links_are_followed_unless_they_must_not_be(tmp_path):
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert read(tmp_path / "link", 5) == b"1"
    with pytest.raises(FileError, match="Too many levels of symbolic links"):
        read(tmp_path / "link", 5, follow=False)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"{", "is damaged, or no JSON"),
        (b"[]", "it is a list, not an object"),
        (b"\xff", "is damaged, or no JSON"),
        (b"[" * 100_000, "is damaged, or no JSON"),
        (b'{"a": ' + b"9" * 5_000 + b"}", "is damaged, or no JSON"),
    ],
)
def test_what_is_no_object_of_json_is_said_in_a_line(tmp_path, text, said):
    path = tmp_path / "a.json"
    path.write_bytes(text)
    with pytest.raises(AcesError, match=rf"a\.json is damaged.*{said.rpartition(',')[2]}") as caught:
        read_object(path, 200_000)
    assert "\n" not in str(caught.value)


def archive(entries: int = 1) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for number in range(entries):
            file.writestr(f"{number}", b"x")
    return buffer.getvalue()


def test_an_archive_is_opened_and_one_with_too_long_a_list_is_not():
    data = archive(3)
    assert unzipped(io.BytesIO(data)).namelist() == ["0", "1", "2"]
    end = data.rfind(b"PK\5\6")
    long = data[: end + 12] + (MOST_DIRECTORY + 1).to_bytes(4, "little") + data[end + 16 :]
    with pytest.raises(AcesError, match="a list of entries of 8 MB; at most 8 MB are read"):
        unzipped(io.BytesIO(long))
    for damaged in (b"", b"PK\5\6", data[:-1], data[:30], b"x" * 100):
        with pytest.raises(AcesError):
            unzipped(io.BytesIO(damaged))


def test_the_wide_form_of_a_list_is_looked_at_as_well():
    data = archive()
    end = data.rfind(b"PK\5\6")
    wide = b"PK\6\6" + (44).to_bytes(8, "little") + bytes(28) + (10**10).to_bytes(8, "little") + bytes(8)
    locator = b"PK\6\7" + bytes(16)
    with pytest.raises(AcesError, match=r"a list of entries of 10,000 MB"):
        unzipped(io.BytesIO(data[:end] + wide + locator + data[end:]))


def test_what_is_quoted_is_a_short_line(tmp_path):
    assert len(reason(ValueError("x\n" * 1_000))) == SHOWN + 1
    assert "\n" not in reason(ValueError("a\nb"))
    assert len(shown(tmp_path / ("d/" * 200))) == SHOWN + 1


def test_no_descriptor_is_left_open(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").write_bytes(b"12345")
    before = len(list(files.Path("/proc/self/fd").iterdir()))
    for path in (tmp_path / "pipe", tmp_path / "large", tmp_path, files.Path("/dev/zero")):
        with pytest.raises(FileError):
            opened(path, 4)
    assert len(list(files.Path("/proc/self/fd").iterdir())) == before
