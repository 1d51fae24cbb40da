"""Shards in one process: written once, reused, and written again if they are damaged."""

import json
import logging
from pathlib import Path

import pytest

from keras_video.sharded import (
    MANIFEST,
    LocalEngine,
    Shard,
    fetched,
    open_folder,
    read_manifest,
    run_shards,
    split_into_shards,
)
from tests.sharded.workers import SETTINGS, Times, begun, content, numbers, times

pytestmark = pytest.mark.unit


def run(folder, log, shards=None, settings=SETTINGS, **arguments):
    shards = numbers() if shards is None else shards
    return run_shards(
        times(log, **arguments), shards, folder, settings=settings, verbose=0, engine=LocalEngine()
    )


def test_every_item_is_in_one_shard(tmp_path):
    summary = run(tmp_path / "out", tmp_path / "log")
    assert content(tmp_path / "out", numbers()) == [10 * i for i in range(10)]
    assert (summary.created, summary.reused, summary.count, summary.failed) == (3, 0, 10, ())
    names = [f"shard-0000{i}-of-00003.json" for i in range(3)]
    assert list(summary.finished) == names
    assert [facts["most"] for facts in summary.finished.values()] == [30, 70, 90]
    manifest = read_manifest(tmp_path / "out")
    assert manifest["settings"] == SETTINGS and list(manifest["plan"]) == names
    assert manifest["finished"] == summary.finished
    left = {path.name for path in (tmp_path / "out").iterdir()}
    assert left - {".shards.lock"} == {*names, MANIFEST}


def test_finished_shards_are_not_rewritten(tmp_path):
    with pytest.raises(ValueError, match="received 5, expected another number"):
        run(tmp_path / "out", tmp_path / "log", wrong=5)
    assert list(read_manifest(tmp_path / "out")["finished"]) == [numbers()[0].name]
    summary = run(tmp_path / "out", tmp_path / "log")
    assert (summary.created, summary.reused) == (2, 1)
    assert begun(tmp_path / "log") == [
        "00000-of-00003.json",
        *("00001-of-00003.json",) * 2,
        "00002-of-00003.json",
    ]
    again = run(tmp_path / "out", tmp_path / "log")
    assert (again.created, again.reused, again.count) == (0, 3, 10)
    assert again.finished == summary.finished


@pytest.mark.parametrize("damage", ["other content", "is missing", "bytes instead of"])
def test_a_damaged_shard_is_rewritten(damage, tmp_path, caplog):
    first = run(tmp_path / "out", tmp_path / "log")
    path = tmp_path / "out" / numbers()[1].name
    good = path.read_bytes()
    if damage == "is missing":
        path.unlink()
    else:
        path.write_bytes(good[:-1] + b"0" if damage == "other content" else good[:-1])
    with caplog.at_level(logging.WARNING):
        summary = run(tmp_path / "out", tmp_path / "log")
    assert damage in caplog.text and "written again" in caplog.text and path.name in caplog.text
    assert path.read_bytes() == good and (summary.created, summary.reused) == (1, 2)
    assert summary.finished == first.finished


def test_failed_items_are_accounted_for(tmp_path):
    shards = split_into_shards([1, -2, 3], 2, ".json")
    for _ in range(2):
        summary = run(tmp_path / "out", tmp_path / "log", shards)
        assert summary.count == 2 and summary.failed == (("-2", "is negative"),)
    assert content(tmp_path / "out", shards) == [10, 30]


def test_a_worker_that_loses_items_is_an_error(tmp_path):
    def losing():
        def worker(items, path):
            path.write_text("")
            yield
            return {"count": len(items) - 1}

        return worker

    with pytest.raises(ValueError, match=r"shard-00000-of-00003.json: received 3 rows and 0"):
        run_shards(losing, numbers(), tmp_path, settings={}, verbose=0)
    assert not read_manifest(tmp_path)["finished"]


@pytest.mark.parametrize(
    ("shards", "settings", "message"),
    [
        (numbers(), {"factor": 11, "more": [1]}, r"of factor=10 more=None, now factor=11 more=\[1"),
        (numbers(11), SETTINGS, "the items of the list have changed, shard-00002-of-00003"),
        (numbers(20), SETTINGS, "has 3 shards in its plan, received 5"),
    ],
    ids=["settings", "items", "length"],
)
def test_a_folder_resumes_only_with_the_same_items_and_settings(
    shards, settings, message, tmp_path
):
    run(tmp_path / "out", tmp_path / "log")
    with pytest.raises(ValueError, match=message):
        run(tmp_path / "out", tmp_path / "log", shards, settings)
    assert len(begun(tmp_path / "log")) == 3


def test_partial_files_of_a_killed_process_are_removed(tmp_path):
    (tmp_path / ".part-0123-shard-00000-of-00003.json").write_text("[")
    run(tmp_path, tmp_path / "log")
    assert not list(tmp_path.glob(".part-*"))


def test_two_processes_cannot_write_to_one_folder(tmp_path):
    with (
        open_folder(tmp_path).held(),
        pytest.raises(RuntimeError, match="is in use by another process"),
    ):
        run(tmp_path, tmp_path / "log")


def test_invalid_shards_and_manifests_are_rejected(tmp_path):
    with pytest.raises(ValueError, match="shard_size=0: expected at least 1"):
        split_into_shards([1], 0, ".json")
    with pytest.raises(ValueError, match="received 2 shards of 1 names"):
        run(tmp_path, tmp_path / "log", [Shard("a", (1,)), Shard("a", (2,))])
    with pytest.raises(FileNotFoundError, match="it has no manifest.json"):
        read_manifest(tmp_path)
    for text in ("{", "{}", json.dumps({"version": 99})):
        (tmp_path / MANIFEST).write_text(text)
        with pytest.raises(ValueError, match="expected a manifest, received"):
            read_manifest(tmp_path)


@pytest.mark.parametrize("kind", ["memory://made/out", "loopback://{}/out", "file://{}/out"])
def test_remote_folders(kind, tmp_path, caplog):
    pytest.importorskip("fsspec")
    folder = kind.format(tmp_path)
    assert run(folder, tmp_path / "log").created == 3
    place = open_folder(folder)
    with place.open(numbers()[2].name) as file:
        assert json.load(file) == [80, 90]
    place.write_bytes(numbers()[0].name, b"[]")
    with caplog.at_level(logging.WARNING):
        again = run(folder, tmp_path / "log")
    assert (again.created, again.reused) == (1, 2) and "is damaged" in caplog.text
    with pytest.raises(ValueError, match="of factor=10, now factor=3"):
        run(folder, tmp_path / "log", settings={"factor": 3})


def test_remote_files_are_fetched_temporarily(tmp_path):
    pytest.importorskip("fsspec")
    (tmp_path / "a.mp4").write_bytes(b"a")
    (tmp_path / "b.mp4").write_bytes(b"b")
    addresses = [f"loopback://{tmp_path}/a.mp4", str(tmp_path / "b.mp4"), "loopback:///no/c.mp4"]
    with fetched([*addresses, f"file://{tmp_path}/b.mp4"]) as copies:
        assert Path(copies[0]).read_bytes() == b"a" and copies[0].endswith("/a.mp4")
        assert copies[1] == copies[3] == addresses[1]
        assert isinstance(copies[2], FileNotFoundError)
    assert not Path(copies[0]).exists()


def test_a_worker_is_built_once(tmp_path):
    built = []

    def make():
        built.append(1)
        return Times(tmp_path / "log")

    run_shards(make, numbers(), tmp_path / "out", settings={}, verbose=0)
    run_shards(make, numbers(), tmp_path / "out", settings={}, verbose=0)
    assert built == [1]


def test_companions_of_a_shard(tmp_path, caplog):
    """Files that a worker writes beside a shard; each is checked when a run resumes."""

    def make():
        def worker(items, path, index):
            yield from items
            path.write_text(json.dumps(items))
            index.write_text(f"{len(items)} items")
            return {"count": len(items)}

        return worker

    def again(**options):
        with caplog.at_level(logging.WARNING):
            return run_shards(
                make, numbers(), tmp_path, settings={}, companions=[".index"], verbose=0, **options
            )

    summary, name = again(), numbers()[1].name
    index = tmp_path / f"{name}.index"
    assert index.read_text() == "4 items"
    facts = read_manifest(tmp_path)["finished"][name]["companions"]
    assert list(facts) == [".index"] and facts[".index"]["bytes"] == 7
    index.write_text("5 items")
    assert again(check="size").reused == 3
    assert (again().created, again().reused) == (1, 3) and index.read_text() == "4 items"
    assert f"has a file {name}.index that is damaged (other content)" in caplog.text
    index.unlink()
    assert again(check="size").finished == summary.finished and index.exists()
    with pytest.raises(ValueError, match="check='date': expected 'content' or 'size'"):
        again(check="date")


def test_several_threads_write_the_same_as_one(tmp_path):
    run(tmp_path / "one", tmp_path / "log")
    options = {"settings": SETTINGS, "engine": LocalEngine(3), "verbose": 0}
    summary = run_shards(times(tmp_path / "log"), numbers(), tmp_path / "three", **options)
    assert summary.count == 10
    manifests = [(tmp_path / name / MANIFEST).read_bytes() for name in ("one", "three")]
    assert manifests[0] == manifests[1]
    with pytest.raises(ValueError, match="received 6, expected another number"):
        make = times(tmp_path / "log", wrong=6)
        run_shards(make, numbers(), tmp_path / "wrong", **options)
    assert not list((tmp_path / "wrong").glob(".part-*"))
    assert run_shards(times(tmp_path / "log"), numbers(), tmp_path / "wrong", **options).count == 10
    with pytest.raises(ValueError, match="workers=0: expected at least 1"):
        LocalEngine(0)
