"""Shards on a local Ray cluster of two workers, some of which are killed."""

import functools
import logging
import os
import sys
import types

import pytest

from keras_video.sharded import RayEngine, WorkerDiedError, processors, read_manifest, run_shards

ray = pytest.importorskip("ray")
from tests.sharded.workers import SETTINGS, Times, begun, content, numbers, times  # noqa: E402


@pytest.fixture(scope="module", autouse=True)
def cluster():
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    ray.init(
        address="local",
        num_cpus=2,
        include_dashboard=False,
        object_store_memory=10**8,
        log_to_driver=False,
        logging_level="ERROR",
    )
    yield
    ray.shutdown()


def run(folder, log, shards=None, make=times, attempts=3, **arguments):
    return run_shards(
        make(log, **arguments),
        shards or numbers(),
        folder,
        settings=SETTINGS,
        engine=RayEngine(workers=2, attempts=attempts),
        verbose=0,
    )


def test_results_equal_those_of_one_process(tmp_path):
    expected = run_shards(
        times(tmp_path / "a"), numbers(), tmp_path / "one", settings=SETTINGS, verbose=0
    )
    summary = run(tmp_path / "out", tmp_path / "log")
    assert summary == expected and summary.finished == expected.finished
    assert (tmp_path / "out" / "manifest.json").read_bytes() == (
        tmp_path / "one" / "manifest.json"
    ).read_bytes()
    assert sorted(begun(tmp_path / "log")) == sorted(begun(tmp_path / "a"))
    assert run(tmp_path / "out", tmp_path / "log").reused == 3


@pytest.mark.parametrize("item", [0, 5, 9])
def test_a_killed_worker_is_replaced(item, tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        summary = run(tmp_path / "out", tmp_path / "log", killed_at=item, until=3)
    assert content(tmp_path / "out", numbers()) == [10 * i for i in range(10)]
    assert summary.count == 10 and summary.created == 3
    assert not list((tmp_path / "out").glob(".part-*"))
    if len(begun(tmp_path / "log")) > 3:
        assert f"after {item % 4} of" in caplog.text and f"at {item}: it is replaced" in caplog.text


def test_a_shard_that_kills_every_worker_is_named(tmp_path):
    with pytest.raises(WorkerDiedError) as error:
        run(tmp_path / "out", tmp_path / "log", killed_at=6, attempts=2)
    assert str(error.value).startswith(
        "shard-00001-of-00003.json, after 2 of 4 items, at 6 or soon after: 2 workers have died"
    )
    assert "\n" not in str(error.value)
    finished = set(read_manifest(tmp_path / "out")["finished"])
    assert numbers()[1].name not in finished
    before = len(begun(tmp_path / "log"))
    summary = run(tmp_path / "out", tmp_path / "log")
    assert (
        summary.reused == len(finished) and len(begun(tmp_path / "log")) == before + summary.created
    )
    assert content(tmp_path / "out", numbers()) == [10 * i for i in range(10)]


def test_errors_of_workers_are_raised_here(tmp_path):
    with pytest.raises(ValueError) as error:
        run(tmp_path / "out", tmp_path / "log", wrong=6)
    assert str(error.value) == "received 6, expected another number"
    assert any("in __call__" in note for note in error.value.__notes__)

    def broken(log):
        raise LookupError("no model there")

    with pytest.raises(LookupError, match="no model there"):
        run(tmp_path / "out", tmp_path / "log", make=lambda log: functools.partial(broken, log))


def test_errors_that_cannot_be_pickled(tmp_path):
    class OwnError(Exception):
        def __init__(self, a, b):
            super().__init__(f"{a} and {b}")

    class Raises(Times):
        def __call__(self, items, path):
            yield
            raise OwnError("this", "that")

    with pytest.raises(RuntimeError, match="OwnError: this and that"):
        run(tmp_path / "out", tmp_path / "log", make=lambda log: functools.partial(Raises, log))


def test_a_worker_that_dies_at_startup(tmp_path):
    def dying(log):
        log.open("a").write("begun\n")
        os.kill(os.getpid(), 9)

    with pytest.raises(WorkerDiedError, match="a worker has died 3 times before it began to work"):
        run(tmp_path / "out", tmp_path / "log", make=lambda log: functools.partial(dying, log))

    def once(log):
        if not log.exists():
            dying(log)
        return Times(log)

    summary = run(tmp_path / "out", tmp_path / "l", make=lambda log: functools.partial(once, log))
    assert summary.count == 10


def test_more_workers_than_the_cluster_has_room_for(tmp_path):
    summary = run_shards(
        times(tmp_path / "log"),
        numbers(),
        tmp_path / "out",
        settings=SETTINGS,
        engine=RayEngine(workers=5),
        verbose=0,
    )
    assert summary.count == 10


def test_the_environment_of_a_worker_is_set_before_keras_is_loaded(tmp_path, monkeypatch):
    def make():
        backend = os.environ["KERAS_BACKEND"]
        loaded = "keras" in sys.modules or "tensorflow" in sys.modules
        threads = [os.environ[name] for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")]

        def worker(items, path):
            path.write_text("")
            yield
            environment = [backend, loaded, processors(), *threads]
            return {"count": len(items), "environment": environment}

        return worker

    keras = types.SimpleNamespace(backend=types.SimpleNamespace(backend=lambda: "jax"))
    monkeypatch.setitem(sys.modules, "keras", keras)
    bar = types.SimpleNamespace(add=lambda count: None)
    monkeypatch.setattr("keras_video.sharded.running.progress_bar", lambda *_: bar)
    summary = run(tmp_path, tmp_path / "log", make=lambda _: make, shards=numbers(2, 1))
    monkeypatch.undo()
    assert [facts["environment"] for facts in summary.finished.values()] == [
        ["jax", False, 1, "1", "1"]
    ] * 2


def test_a_remote_folder(tmp_path):
    pytest.importorskip("fsspec")
    summary = run(f"loopback://{tmp_path}/out", tmp_path / "log")
    assert summary.created == 3
    assert content(tmp_path / "out", numbers()) == [10 * i for i in range(10)]


def test_settings_of_the_engine(tmp_path):
    for name in ("workers", "attempts"):
        with pytest.raises(ValueError, match=f"{name}=0: expected at least 1"):
            RayEngine(**{name: 0})
    with pytest.raises(ValueError, match="address='auto': this process is connected"):
        run_shards(
            times(tmp_path / "log"),
            numbers(),
            tmp_path,
            settings={},
            engine=RayEngine(address="auto"),
            verbose=0,
        )
