"""The real fetch path, against an HTTP server on the loopback interface."""

import errno
import io
import re
import socket
import urllib.error
import urllib.request

import pytest

from keras_video.weights import connection, download, fetch
from keras_video.weights.fetch import FetchError
from tests.weights.loopback import CONTENT, NAME, PREFIX, Server


@pytest.fixture
def server():
    running = Server()
    yield running
    running.shutdown()
    running.server_close()


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(download, "RETRY_PAUSES_SECONDS", (0.01, 0.01, 0.01))
    monkeypatch.delenv("KERAS_VIDEO_WEIGHTS", raising=False)
    monkeypatch.delenv("KERAS_VIDEO_MIRROR", raising=False)


def get(url, cache, prefix=PREFIX, **keywords):
    return fetch.fetch(url, prefix, cache_dir=cache, **keywords)


def left_in(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_a_file_is_downloaded_once_and_cached(server, cache):
    path = get(server.url, cache)
    assert path == cache / NAME
    assert path.read_bytes() == CONTENT
    assert get(server.url, cache) == path
    assert server.requests == [(f"/zoo/{NAME}", 0)]
    assert left_in(cache) == [NAME]


def test_the_cache_is_in_the_keras_home(server, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    path = fetch.fetch(server.url, PREFIX)
    assert path == tmp_path / "home" / "keras_video" / "checkpoints" / NAME


def test_a_query_is_not_part_of_the_name(server, cache):
    assert get(server.url + "?dl=0", cache).name == NAME


def test_a_damaged_cached_file_is_fetched_again(server, cache):
    cache.mkdir()
    (cache / NAME).write_bytes(b"half a file")
    assert get(server.url, cache).read_bytes() == CONTENT
    assert left_in(cache) == [NAME]


def test_a_cached_file_without_a_known_hash_is_used(server, cache):
    path = get(server.url, cache, prefix=None)
    path.write_bytes(b"mine")
    assert get(server.url, cache, prefix=None).read_bytes() == b"mine"
    assert len(server.requests) == 1


def test_files_with_the_same_name_and_no_hash_are_cached_separately(server, cache):
    first = get(server.url, cache, prefix=None)
    server.content = b"another"
    second = get(server.url.replace("/zoo/", "/other/"), cache, prefix=None)
    assert first.name == second.name == NAME
    assert (first.read_bytes(), second.read_bytes()) == (CONTENT, b"another")
    assert get(f"{server.url}?dl=0", cache, prefix=None) == first


def test_a_url_may_state_its_hash(server, cache):
    assert get(f"{server.url}#sha256={PREFIX}", cache, prefix=None) == cache / NAME
    with pytest.raises(FetchError, match="wrong content: expected SHA-256 deadbeef"):
        get(f"{server.url}#sha256=deadbeef", cache / "other", prefix=None)
    with pytest.raises(ValueError, match="hexadecimal"):
        get(f"{server.url}#sha256=", cache, prefix=None)


def test_a_local_folder_may_have_files_with_the_same_name(server, cache, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_VIDEO_WEIGHTS", str(tmp_path))
    (tmp_path / "zoo").mkdir()
    (tmp_path / "zoo" / NAME).write_bytes(b"of this project")
    (tmp_path / NAME).write_bytes(b"of another")
    assert get(server.url, cache, prefix=None).read_bytes() == b"of this project"
    other = server.url.replace("/zoo/", "/other/")
    assert get(other, cache, prefix=None).read_bytes() == b"of another"


def test_wrong_hash_leaves_nothing_and_names_both(server, cache):
    with pytest.raises(FetchError, match="expected SHA-256 deadbeef.*received " + PREFIX):
        get(server.url, cache, prefix="deadbeef")
    assert left_in(cache) == []
    assert len(server.requests) == 1


def test_not_found_is_reported_immediately(server, cache):
    server.script = [404]
    with pytest.raises(FetchError, match="HTTP status 404"):
        get(server.url, cache)
    assert len(server.requests) == 1
    assert left_in(cache) == []


@pytest.mark.parametrize("fault", [500, 503, "no answer"])
def test_a_transient_fault_is_retried(server, cache, fault):
    server.script = [fault, fault]
    assert get(server.url, cache).read_bytes() == CONTENT
    assert len(server.requests) == 3


def test_a_persistent_fault_is_reported(server, cache):
    server.script = [500] * 9
    with pytest.raises(FetchError, match=r"HTTP status 500 .*\(4 tries\)"):
        get(server.url, cache)
    assert len(server.requests) == 4
    assert left_in(cache) == []


def test_a_broken_connection_is_resumed_where_it_broke(server, cache):
    server.script = ["truncated"]
    assert get(server.url, cache).read_bytes() == CONTENT
    assert [start for _, start in server.requests] == [0, len(CONTENT) // 2]


def test_a_broken_connection_starts_over_if_parts_cannot_be_verified(server, cache):
    server.script = ["truncated"]
    assert get(server.url, cache, prefix=None).read_bytes() == CONTENT
    assert [start for _, start in server.requests] == [0, 0]


@pytest.mark.parametrize("fault", ["ignored range", "wrong range", 416])
def test_a_server_that_cannot_resume_resends_the_file(server, cache, fault):
    server.ranges = fault != "ignored range"
    server.script = ["truncated", fault]
    assert get(server.url, cache).read_bytes() == CONTENT


def test_a_truncated_file_is_reported_in_bytes(server, cache):
    server.script = ["truncated"] * 9
    half, whole = len(CONTENT) // 2, len(CONTENT)
    with pytest.raises(FetchError, match=f"received {half} of {whole} bytes"):
        get(server.url, cache, prefix=None)
    assert left_in(cache) == []


def test_without_a_length_the_hash_detects_the_truncation(server, cache):
    server.script = ["no length"]
    assert get(server.url, cache).read_bytes() == CONTENT
    server.script, server.content = ["no length"], CONTENT[:1000]
    with pytest.raises(FetchError, match="wrong content"):
        get(server.url, cache / "other")
    assert left_in(cache / "other") == []


def test_without_network_the_message_says_which_file_to_put_where(cache):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(FetchError) as caught:
        get(f"http://127.0.0.1:{port}/{NAME}", cache)
    message = str(caught.value)
    assert "no connection" in message
    assert str(cache / NAME) in message
    assert "KERAS_VIDEO_WEIGHTS" in message
    assert "KERAS_VIDEO_MIRROR" in message
    assert left_in(cache) == []


def test_a_mirror_replaces_the_published_host(server, cache, monkeypatch):
    monkeypatch.setenv("KERAS_VIDEO_MIRROR", server.url.removesuffix(f"zoo/{NAME}") + "mirror/")
    path = get(f"https://nowhere.invalid/deep/folder/{NAME}", cache)
    assert path.read_bytes() == CONTENT
    assert server.requests == [(f"/mirror/{NAME}", 0)]


@pytest.mark.parametrize("form", ["{}", "file://{}"])
def test_a_mirror_may_be_a_folder(server, cache, tmp_path, monkeypatch, form):
    monkeypatch.setenv("KERAS_VIDEO_MIRROR", form.format(tmp_path))
    with pytest.raises(FetchError, match=f"{tmp_path}.*has no {NAME}.*no other place is asked"):
        get(server.url, cache)
    (tmp_path / NAME).write_bytes(CONTENT)
    assert get(server.url, cache) == tmp_path / NAME
    (tmp_path / NAME).write_bytes(CONTENT + b"!")
    with pytest.raises(FetchError, match=f"KERAS_VIDEO_MIRROR.*expected SHA-256 {PREFIX}"):
        get(server.url, cache)
    assert server.requests == []


@pytest.mark.parametrize("place", ["ftp://host/mirror", "s3://bucket", "/no/such/folder"])
def test_a_mirror_must_be_a_folder_or_a_url(cache, monkeypatch, place):
    monkeypatch.setenv("KERAS_VIDEO_MIRROR", place)
    with pytest.raises(FetchError, match="KERAS_VIDEO_MIRROR"):
        get(f"https://nowhere.invalid/{NAME}", cache)


def test_a_local_folder_comes_first(server, cache, tmp_path, monkeypatch):
    (tmp_path / NAME).write_bytes(CONTENT)
    monkeypatch.setenv("KERAS_VIDEO_WEIGHTS", str(tmp_path))
    assert get(server.url, cache) == tmp_path / NAME
    assert server.requests == []
    assert left_in(cache) == []


def test_a_local_file_is_verified(server, cache, tmp_path, monkeypatch):
    (tmp_path / NAME).write_bytes(CONTENT + b"!")
    monkeypatch.setenv("KERAS_VIDEO_WEIGHTS", str(tmp_path))
    with pytest.raises(FetchError, match=f"wrong content: expected SHA-256 {PREFIX}"):
        get(server.url, cache)


def test_a_local_folder_without_the_file_is_skipped(server, cache, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_VIDEO_WEIGHTS", str(tmp_path))
    assert get(server.url, cache) == cache / NAME
    monkeypatch.setenv("KERAS_VIDEO_WEIGHTS", str(tmp_path / "missing"))
    with pytest.raises(FetchError, match="missing, which is not a folder"):
        get(server.url, cache)


def test_a_full_disk_is_reported_and_leaves_nothing(server, cache, monkeypatch):
    def write(progress, chunk):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(download._Progress, "write", write)
    with pytest.raises(FetchError, match="the disk is full") as caught:
        get(server.url, cache)
    assert caught.value.errno == errno.ENOSPC
    assert len(server.requests) == 1
    assert left_in(cache) == []


def test_a_file_too_large_for_the_disk_is_not_downloaded(server, cache, monkeypatch):
    usage = download.shutil.disk_usage("/")._replace(free=1000)
    monkeypatch.setattr(download.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(FetchError, match=f"the disk is full.*{len(CONTENT)} bytes required, 1000"):
        get(server.url, cache)
    assert left_in(cache) == []


def test_an_interrupt_leaves_nothing(server, cache, monkeypatch):
    def write(progress, chunk):
        raise KeyboardInterrupt

    monkeypatch.setattr(download._Progress, "write", write)
    with pytest.raises(KeyboardInterrupt):
        get(server.url, cache)
    assert left_in(cache) == []


def test_a_progress_bar_is_drawn_on_request(server, cache, capsys):
    get(server.url, cache, verbose=True)
    assert str(len(CONTENT)) in capsys.readouterr().out


@pytest.mark.parametrize(
    "length", ["-1", "-4194304", "many", "1e6", "0x10", "+5", "9" * 5000, "", "3 and 4194304"]
)
def test_an_invalid_length_is_reported(server, cache, length):
    server.script = [f"length {length}"] * 9
    shown = ", ".join(sorted(length.split(" and ")))
    with pytest.raises(FetchError, match=f"Content-Length '{re.escape(shown)}', expected a number"):
        get(server.url, cache)
    assert len(server.requests) == 1
    assert left_in(cache) == []


@pytest.mark.parametrize("length", ["5", "4194303", "4194305"])
def test_a_wrong_length_leaves_nothing(server, cache, length):
    server.script = [f"length {length}"] * 9
    with pytest.raises(FetchError, match="wrong content|received 4194304 of"):
        get(server.url, cache)
    assert left_in(cache) == []


def test_a_length_beyond_the_disk_is_reported(server, cache):
    server.script = [f"length {10**17}"]
    with pytest.raises(FetchError, match=f"the disk is full.*{10**17} bytes required"):
        get(server.url, cache)


@pytest.mark.parametrize("fault", ["dripping", "dripping header"])
def test_a_trickling_server_is_abandoned(server, cache, fault, monkeypatch):
    monkeypatch.setattr(connection, "WINDOW_SECONDS", 0.1)
    server.script = [fault] * 9
    with pytest.raises(
        FetchError, match=r"bytes in 0\.\d s, expected at least 1000 a second.*4 tr"
    ):
        get(server.url, cache)
    assert len(server.requests) == 4
    assert left_in(cache) == []


def test_a_slow_server_is_tolerated(server, cache, monkeypatch):
    monkeypatch.setattr(connection, "WINDOW_SECONDS", 0.1)
    server.script = ["slow"]
    assert get(server.url, cache).read_bytes() == CONTENT
    assert len(server.requests) == 1


def test_an_endless_response_is_abandoned(server, cache, monkeypatch):
    monkeypatch.setattr(download, "LARGEST_BYTES", 1 << 23)
    server.script = ["endless"]
    with pytest.raises(FetchError, match="more than 8388608 bytes"):
        get(server.url, cache)
    assert left_in(cache) == []


def test_a_response_without_content_is_reported(server, cache):
    server.script = ["no content"]
    with pytest.raises(FetchError, match="HTTP status 204"):
        get(server.url, cache, prefix=None)


def test_a_redirect_is_followed(server, cache):
    server.script = [f"redirect /elsewhere/{NAME}"]
    assert get(server.url, cache).read_bytes() == CONTENT
    assert [path for path, _ in server.requests] == [f"/zoo/{NAME}", f"/elsewhere/{NAME}"]


@pytest.mark.parametrize("scheme", ["file", "ftp", "FILE", "data", "gopher"])
def test_a_redirect_to_another_scheme_is_rejected(server, cache, scheme, tmp_path):
    secret = tmp_path / NAME
    secret.write_bytes(CONTENT)
    target = "data:,x" if scheme == "data" else f"{scheme}://127.0.0.1{secret}"
    server.script = [f"redirect {target}"] * 9
    with pytest.raises(FetchError, match="HTTP status 302 redirects to .*expected an address of h"):
        get(server.url, cache)
    assert len(server.requests) == 1
    assert left_in(cache) == []


def test_a_redirect_from_https_to_http_is_rejected():
    request = urllib.request.Request("https://host/a.pth")
    with pytest.raises(urllib.error.HTTPError, match="http://host/b.pth.*expected an.*of https"):
        connection._RedirectHandler().redirect_request(
            request, io.BytesIO(), 302, "Found", {}, "http://host/b.pth"
        )


def test_circular_redirects_are_reported(server, cache):
    server.script = [f"redirect /zoo/{NAME}"] * 99
    with pytest.raises(FetchError, match="HTTP status 302.*infinite loop"):
        get(server.url, cache)
    assert len(server.requests) < 20
    assert left_in(cache) == []


@pytest.mark.parametrize("url", ["ftp://host/a.pth", "http://host/", "http://h/..%2Fetc", "a.pth"])
def test_a_url_without_a_plain_file_name_is_rejected(cache, url):
    with pytest.raises(ValueError, match="URL that ends in a file name"):
        get(url, cache)


@pytest.mark.parametrize("prefix", ["", "xyz", "12", "0" * 65])
def test_a_prefix_that_is_not_a_hash_is_rejected(cache, prefix):
    with pytest.raises(ValueError, match="hexadecimal"):
        get(f"http://host/{NAME}", cache, prefix=prefix)
