"""A mirror of `.keras` files: its index, and connection faults."""

import errno
import hashlib
import json

import pytest

from keras_video.weights import download, fetch, mirror
from keras_video.weights.fetch import FetchError, fetch_mirrored
from keras_video.weights.mirror import Entry, read_index, write_index
from tests.weights.files_server import FilesServer
from tests.weights.test_fetch_processes import run_at_once

CONTENT = bytes(range(256)) * 4096
DIGEST = hashlib.sha256(CONTENT).hexdigest()
ENTRY = Entry("a_row.keras", DIGEST, "https://nowhere.invalid/a.pth", ("fc_cls/kernel",), "MIT")
ROW = "project/a row"


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "mirror"
    folder.mkdir()
    (folder / ENTRY.file).write_bytes(CONTENT)
    write_index(folder, {ROW: ENTRY})
    return folder


@pytest.fixture
def server(folder, monkeypatch):
    with FilesServer(folder) as running:
        monkeypatch.setenv("KERAS_VIDEO_MIRROR", f"{running.url}/")
        yield running


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setattr(download, "RETRY_PAUSES_SECONDS", (0.01, 0.01, 0.01))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("KERAS_VIDEO_MIRROR", raising=False)
    return tmp_path / "home" / "keras_video" / "mirrored"


def files(folder):
    return sorted(path.name for path in folder.iterdir() if path.suffix == ".keras")


def test_an_index_is_restored_as_written(folder):
    assert read_index(folder) == {ROW: ENTRY}
    assert (folder / "SHA256SUMS").read_text() == f"{DIGEST}  a_row.keras\n"
    assert read_index(folder.parent) == {}


def test_without_a_mirror_nothing_is_mirrored():
    assert fetch_mirrored(ROW) is None


def test_a_folder_serves_its_files(folder, monkeypatch):
    monkeypatch.setenv("KERAS_VIDEO_MIRROR", str(folder))
    assert fetch_mirrored(ROW) == (folder / ENTRY.file, ENTRY)
    assert fetch_mirrored("another") is None
    (folder / ENTRY.file).write_bytes(CONTENT[:-1])
    with pytest.raises(FetchError, match=f"wrong content: expected SHA-256 {DIGEST}"):
        fetch_mirrored(ROW)
    (folder / ENTRY.file).unlink()
    with pytest.raises(FetchError, match="has no a_row.keras"):
        fetch_mirrored(ROW)


def test_a_url_serves_its_files_once(server, home):
    path, entry = fetch_mirrored(ROW)
    assert (path, entry) == (home / ENTRY.file, ENTRY)
    assert path.read_bytes() == CONTENT
    fetch_mirrored(ROW)
    assert server.paths.count("/a_row.keras") == 1


def test_a_damaged_copy_is_fetched_again(server, home):
    fetch_mirrored(ROW)[0].write_bytes(b"half")
    assert fetch_mirrored(ROW)[0].read_bytes() == CONTENT


def test_a_truncated_file_is_resumed(server):
    server.faults["/a_row.keras"] = ["truncated"]
    assert fetch_mirrored(ROW)[0].read_bytes() == CONTENT
    assert server.paths.count("/a_row.keras") == 2


def test_a_persistent_truncation_leaves_nothing(server, home):
    server.faults["/a_row.keras"] = ["truncated"] * 9
    server.ranges = False
    with pytest.raises(FetchError, match="received .* of .* bytes"):
        fetch_mirrored(ROW)
    assert files(home) == []


def test_content_that_differs_from_the_index_is_reported(server, folder, home):
    (folder / ENTRY.file).write_bytes(CONTENT[::-1])
    with pytest.raises(FetchError, match=f"a_row.keras: wrong content: expected SHA-256 {DIGEST}"):
        fetch_mirrored(ROW)
    assert files(home) == []


def test_a_missing_listed_file_is_named(server, folder, home):
    (folder / ENTRY.file).unlink()
    with pytest.raises(FetchError, match="a_row.keras: HTTP status 404"):
        fetch_mirrored(ROW)
    assert files(home) == []


def test_a_full_disk_is_reported(server, home, monkeypatch):
    fetch_mirrored(ROW)[0].unlink()

    def write(progress, chunk):
        if len(chunk) > 10_000:
            raise OSError(errno.ENOSPC, "No space left on device")
        progress.file.write(chunk)
        progress.received += len(chunk)

    monkeypatch.setattr(download._Progress, "write", write)
    with pytest.raises(FetchError, match="the disk is full"):
        fetch_mirrored(ROW)
    assert files(home) == []


def test_concurrent_processes_download_once(server, home):
    server.faults["/a_row.keras"] = ["slow"]
    code = "from keras_video.weights.fetch import fetch_mirrored\n"
    code += f"print(fetch_mirrored({ROW!r})[0])"
    assert run_at_once(code, 2) == [str(home / ENTRY.file)] * 2
    assert server.paths.count("/a_row.keras") == 1


def test_the_previous_index_is_used_without_a_connection(server, caplog):
    path, _ = fetch_mirrored(ROW)
    server.close()
    assert fetch_mirrored(ROW) == (path, ENTRY)
    assert "using the cached index" in caplog.text


def test_without_a_previous_index_the_fault_is_reported(server):
    server.close()
    with pytest.raises(FetchError, match=r"index.json \(KERAS_VIDEO_MIRROR\): no connection"):
        fetch_mirrored(ROW)


def test_a_url_without_an_index_lists_nothing(server, folder):
    (folder / "index.json").unlink()
    assert fetch_mirrored(ROW) is None


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ("[]", "expected the index of a mirror"),
        ("{", "expected the index of a mirror"),
        ('{"format": 2, "rows": {}}', "expected format 1, received 2"),
        ({"file": "../a.keras"}, "expected the name of a .keras file, received '../a.keras'"),
        ({"file": "a.pth"}, "expected the name of a .keras file"),
        ({"sha256": "12"}, "expected a SHA-256, received '12'"),
        ({"url": "x"}, "unexpected keyword argument 'url'"),
    ],
)
def test_a_damaged_index_is_reported(folder, index, message, monkeypatch):
    if isinstance(index, dict):
        facts = {"file": ENTRY.file, "sha256": DIGEST, "source": "x", **index}
        index = json.dumps({"format": 1, "rows": {ROW: facts}})
    (folder / "index.json").write_text(index)
    with pytest.raises(FetchError, match=message):
        read_index(folder)


def test_an_invalid_index_is_not_read(folder, monkeypatch):
    monkeypatch.setattr(mirror, "LARGEST_INDEX", 10)
    with pytest.raises(FetchError, match="at most 10 bytes"):
        read_index(folder)


def test_messages_name_the_environment_variable():
    assert fetch.MIRROR_VARIABLE == mirror.VARIABLE == "KERAS_VIDEO_MIRROR"
