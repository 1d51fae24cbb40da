"""A part of a zip file read in place equals the one read through zipfile."""

import io
import zipfile

import pytest

from keras_video.weights.stored_part import StoredPart

pytestmark = pytest.mark.unit
CONTENT = bytes(range(256)) * 40


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("before", b"x" * 77)
        file.writestr("part", CONTENT)
        file.writestr("packed", CONTENT, zipfile.ZIP_DEFLATED)
    return path


def info(path, name="part"):
    with zipfile.ZipFile(path) as file:
        return file.getinfo(name)


def test_it_supports_seeking_as_a_file(archive):
    expected = io.BytesIO(CONTENT)
    with StoredPart(archive, info(archive)) as part:
        for offset, whence in [(0, 0), (9000, 0), (-100, 1), (3, 0), (-5, 2), (50, 2), (0, 2)]:
            assert part.seek(offset, whence) == expected.seek(offset, whence)
            assert part.read(300) == expected.read(300)
            assert part.tell() == expected.tell()
    assert part.closed


def test_data_before_the_zip_file_is_skipped(archive):
    archive.write_bytes(b"before all" + archive.read_bytes())
    with StoredPart(archive, info(archive)) as part:
        assert part.read() == CONTENT


class Counting:
    """A file that counts the bytes read from it."""

    def __init__(self, file):
        self._file, self.bytes = file, 0

    def __getattr__(self, name):
        return getattr(self._file, name)

    def readinto(self, view):
        count = self._file.readinto(view)
        self.bytes += count
        return count


def test_seeking_back_rereads_nothing(archive):
    with StoredPart(archive, info(archive)) as part:
        part._file = file = Counting(part._file)
        for offset in (9000, 0, 8000):
            part.seek(offset)
            assert part.read(10) == CONTENT[offset : offset + 10]
        assert file.bytes == 30


@pytest.mark.parametrize("size", [len(CONTENT) + 1, 10**9])
def test_a_length_beyond_the_file_is_reported(archive, size):
    wrong = info(archive)
    wrong.file_size = wrong.compress_size = size
    if size > 10**6:
        with pytest.raises(zipfile.BadZipFile, match="received 1000000000 bytes"):
            StoredPart(archive, wrong)
    wrong.compress_size -= 1
    with pytest.raises(zipfile.BadZipFile, match=f"received {size - 1} bytes of {size}"):
        StoredPart(archive, wrong)


def test_other_parts_are_rejected(archive):
    with pytest.raises(zipfile.BadZipFile, match="'packed'"):
        StoredPart(archive, info(archive, "packed"))
    wrong = info(archive)
    wrong.header_offset += 1
    with pytest.raises(zipfile.BadZipFile, match="no header of 'part'"):
        StoredPart(archive, wrong)
