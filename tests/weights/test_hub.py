"""Hub repositories on a loopback server: fetched files and faults."""

import errno
import sys

import pytest

from keras_video.weights import FetchError, hub
from keras_video.weights.hub import HubAddress, fetch_hub, hub_address, is_hub_address
from tests.weights.hub_server import COMMIT, HubServer
from tests.weights.test_fetch_processes import run_at_once

pytestmark = pytest.mark.unit

CONTENT = bytes(range(256)) * 4096


@pytest.fixture
def server(tmp_path, monkeypatch):
    constants = pytest.importorskip("huggingface_hub.constants")
    with HubServer() as running:
        monkeypatch.setattr(constants, "ENDPOINT", running.url)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE",
            running.url + "/{repo_id}/resolve/{revision}/{filename}",
        )  # fmt: skip
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
        # The server implements the Hub's older upload protocol.
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        monkeypatch.setenv("HF_HOME", str(tmp_path))
        monkeypatch.setenv("HF_TOKEN", "hf_made_up")
        monkeypatch.delenv("KERAS_VIDEO_MIRROR", raising=False)
        running.repositories["user/name"] = {"model.safetensors": CONTENT, "config.json": b"{}"}
        yield running


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("hf://user/name", HubAddress("user/name")),
        ("hf://user/name/model.keras", HubAddress("user/name", "model.keras")),
        ("hf://user/na.me-1/a/b c.pth", HubAddress("user/na.me-1", "a/b c.pth")),
        ("hf://user/name@v1", HubAddress("user/name", None, "v1")),
        ("hf://user/name/a.pth@v1", HubAddress("user/name", "a.pth", "v1")),
        ("hf://user/name@v1/a.pth", HubAddress("user/name", "a.pth", "v1")),
        ("hf://user/name@refs/pr/3/a.pth", HubAddress("user/name", "a.pth", "refs/pr/3")),
        ("hf://user/name/a.pth@refs/pr/3", HubAddress("user/name", "a.pth", "refs/pr/3")),
        ("https://huggingface.co/user/name", HubAddress("user/name")),
    ],
)
def test_addresses(text, address):
    assert is_hub_address(text) and hub_address(text) == address
    assert hub_address(str(address)) == address


@pytest.mark.parametrize(
    "text",
    [
        "hf://name",
        "hf://",
        "hf://a/b/../c",
        "hf://../b",
        "hf://a/b@v1/c@v2",
        "hf://a/b?x",
        "hf:///b",
    ],
)
def test_invalid_addresses(text):
    with pytest.raises(ValueError, match=r"expected hf://user/name\[/file\]\[@revision\]"):
        hub_address(text)


def test_files_on_the_hub_have_ordinary_addresses():
    assert not is_hub_address("https://huggingface.co/user/name/resolve/main/a.pth")
    assert not is_hub_address("https://elsewhere.org/user/name")


def test_the_weights_of_a_repository_are_fetched_once_with_their_companion_files(server):
    path = fetch_hub(HubAddress("user/name"))
    assert path.read_bytes() == CONTENT
    assert path.with_name("config.json").read_text() == "{}"
    assert fetch_hub(HubAddress("user/name")) == path
    assert server.gets("model.safetensors") == server.gets("config.json") == 1


def test_a_file_and_a_revision_may_be_specified(server):
    server.repositories["user/name"]["other/b.pth"] = b"b"
    assert fetch_hub(HubAddress("user/name", "other/b.pth", COMMIT)).read_bytes() == b"b"
    with pytest.raises(FetchError, match="has no c.pth; it has config.json, model.safetensors"):
        fetch_hub(HubAddress("user/name", "c.pth"))
    with pytest.raises(FetchError, match=r"hf://user/name@v9: RevisionNotFoundError"):
        fetch_hub(HubAddress("user/name", None, "v9"))
    with pytest.raises(FetchError, match="hf://user/none: RepositoryNotFoundError"):
        fetch_hub(HubAddress("user/none"))


def test_all_files_that_an_index_lists_are_fetched(server):
    index = b'{"weight_map": {"a": "model-1-of-2.safetensors", "b": "model-2-of-2.safetensors"}}'
    server.repositories["user/parts"] = {
        "README.md": b"", "model.safetensors.index.json": index,
        "model-1-of-2.safetensors": b"1", "model-2-of-2.safetensors": b"2",
    }  # fmt: skip
    path = fetch_hub(HubAddress("user/parts"))
    assert path.name == "model.safetensors.index.json"
    assert path.with_name("model-2-of-2.safetensors").read_bytes() == b"2"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (["README.md", "flax_model.msgpack"], "has no weights; it has README.md, flax_model"),
        (["a.pth", "b.pth"], "several weight files, a.pth, b.pth: name one, as in hf://"),
    ],
)
def test_ambiguous_or_missing_files_are_reported(server, files, message):
    server.repositories["user/name"] = dict.fromkeys(files, b"")
    with pytest.raises(FetchError, match=message):
        fetch_hub(HubAddress("user/name"))


@pytest.mark.parametrize(
    ("files", "chosen"),
    [
        (["pytorch_model.bin", "model.safetensors"], "model.safetensors"),
        (["model.keras", "model.safetensors"], "model.keras"),
        (["tf_model.h5", "pytorch_model.bin", "optimizer.pt"], "pytorch_model.bin"),
        (["checkpoints/one.pyth", "README.md"], "checkpoints/one.pyth"),
    ],
)
def test_the_standard_files_are_chosen(files, chosen):
    assert hub.choose_file(files, HubAddress("user/name")) == chosen


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_wrong_content_is_fetched_again_and_reported(server, name):
    server.repositories["user/name"]["config.json"] = b'{"a": 1}'
    server.faults[name] = ["wrong"]
    path = fetch_hub(HubAddress("user/name"))
    assert path.with_name(name).read_bytes() == server.repositories["user/name"][name]
    assert server.gets(name) == 2
    server.repositories["user/other"] = dict(server.repositories["user/name"])
    server.faults[name] = ["wrong"] * 9
    with pytest.raises(FetchError, match=f"{name}: wrong content: expected [0-9a-f]+, received"):
        fetch_hub(HubAddress("user/other"))


def test_a_damaged_cached_file_is_fetched_again(server):
    path = fetch_hub(HubAddress("user/name"))
    path.resolve().write_bytes(CONTENT[:-1] + b"!")
    assert fetch_hub(HubAddress("user/name")).read_bytes() == CONTENT
    assert server.gets("model.safetensors") == 2


def test_a_truncated_file_is_resumed(server):
    server.faults["model.safetensors"] = ["truncated"]
    assert fetch_hub(HubAddress("user/name")).read_bytes() == CONTENT


def test_a_missing_file_is_reported(server):
    server.faults["model.safetensors"] = [404] * 9
    with pytest.raises(FetchError, match=r"hf://user/name: \w+: .*404") as caught:
        fetch_hub(HubAddress("user/name"))
    assert "\n" not in str(caught.value)


def test_a_full_disk_is_reported(server, monkeypatch):
    import huggingface_hub

    def download(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    with pytest.raises(FetchError, match="the disk is full") as caught:
        fetch_hub(HubAddress("user/name"))
    assert caught.value.errno == errno.ENOSPC


def test_without_a_connection_the_cache_is_used(server, monkeypatch):
    path = fetch_hub(HubAddress("user/name"))
    request_count = len(server.requests)
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert fetch_hub(HubAddress("user/name")) == path
    assert len(server.requests) == request_count
    with pytest.raises(FetchError, match="hf://user/other: "):
        fetch_hub(HubAddress("user/other"))


def test_concurrent_processes_get_a_complete_file(server, tmp_path):
    server.faults["model.safetensors"] = ["slow"]
    code = (
        "from keras_video.weights.hub import HubAddress, fetch_hub; "
        "print(fetch_hub(HubAddress('user/name')))"
    )
    first, second = run_at_once(code, 2)
    assert first == second
    with open(first, "rb") as file:  # noqa: PTH123
        assert file.read() == CONTENT


def test_a_mirror_takes_precedence_over_the_hub(server, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_VIDEO_MIRROR", str(tmp_path))
    with pytest.raises(
        FetchError, match="KERAS_VIDEO_MIRROR is set, so hf://user/name is not fetched"
    ):
        fetch_hub(HubAddress("user/name"))
    assert server.requests == []


def test_the_missing_package_is_reported_in_one_line(monkeypatch):
    monkeypatch.delenv("KERAS_VIDEO_MIRROR", raising=False)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ImportError) as caught:
        fetch_hub(HubAddress("user/name"))
    assert str(caught.value) == (
        "hf://user/name: the Hub needs the package huggingface_hub: pip install keras-video[hub]"
    )
