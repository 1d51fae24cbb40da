"""Two worker processes on the loopback interface train like a single process."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_video import data, zoo
from keras_video.training.distribution import (
    Worker,
    WorkerShard,
    check_workers,
    this_worker,
)
from keras_video.training.records import read_log
from tests.training import precise_workers_run

ROOT = Path(__file__).parents[2]
TRAIN_TSN = ("-m", "keras_video", "train", "--row=tsn_r18_1x1x4_moving_shapes")
TRAIN = ("-m", "keras_video", "train", "--row=timesformer_divST_8x2x1_moving_shapes")


def test_workers_batches_are_one_processs_batches():
    records = list(range(11))

    def order(worker):
        return WorkerShard(worker, 4)(records, np.random.default_rng(3)).reshape(-1, 2)

    whole = np.random.default_rng(3).permutation(11)[:8].reshape(2, 4)
    first, second = order(Worker(0, 2)), order(Worker(1, 2))
    np.testing.assert_array_equal(np.concatenate([first, second], axis=1), whole)
    assert WorkerShard(Worker(0, 2), 4).count(11) == 4


def test_a_worker_reads_its_part_and_reports_its_length(tmp_path):
    shapes = data.make_moving_shapes(
        tmp_path / "shapes", videos_per_class=3, val_videos_per_class=1, frames=2, size=32
    )
    labels = []
    for index in range(2):
        dataset = data.video_dataset(
            shapes.train_list,
            shapes.root,
            sampling=data.SampleFrames(1, 1, 1),
            transforms=[data.Normalize((0,) * 3, (1,) * 3)],
            training=True,
            shuffle=WorkerShard(Worker(index, 2), 4),
            batch_size=2,
        )
        assert len(dataset) == 3
        labels.append(np.stack([label.numpy() for _, label in dataset]))
    whole = data.video_dataset(
        shapes.train_list,
        shapes.root,
        sampling=data.SampleFrames(1, 1, 1),
        transforms=[data.Normalize((0,) * 3, (1,) * 3)],
        training=True,
        batch_size=4,
    )
    expected = np.stack([label.numpy() for _, label in whole])
    np.testing.assert_array_equal(np.concatenate(labels, axis=1), expected)


def test_a_worker_knows_its_index(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    assert this_worker() == Worker(0, 1)
    cluster = {"chief": ["a:1"], "worker": ["b:1", "c:1"]}
    task = {"type": "worker", "index": 1}
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": cluster, "task": task}))
    assert this_worker() == Worker(2, 3) and not this_worker().is_chief
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": cluster, "task": {"type": "ps"}}))
    with pytest.raises(ValueError, match="TF_CONFIG=.*expected a cluster"):
        this_worker()


def test_settings_that_several_workers_do_not_support_are_rejected():
    row = zoo.row("slowfast_multigrid_r50_8x8x1_358e_kinetics400_rgb")
    check_workers(Worker(), row)
    with pytest.raises(ValueError, match="trains with multigrid: .* 2 workers"):
        check_workers(Worker(0, 2), row)
    row = zoo.row("x3d_s_13x6x1_300e_kinetics400_rgb")
    check_workers(Worker(0, 2), row, on_error="replace")
    check_workers(Worker(), row, on_error="skip")
    with pytest.raises(ValueError, match="received on_error='skip', .* 2 workers"):
        check_workers(Worker(0, 2), row, on_error="skip")


def test_a_smaller_last_batch_is_for_a_single_process():
    plain = zoo.row("x3d_s_13x6x1_300e_kinetics400_rgb")
    multigrid = zoo.row("slowfast_multigrid_r50_8x8x1_358e_kinetics400_rgb")
    check_workers(Worker(), plain, drop_remainder=False)
    for worker, row in ((Worker(0, 2), plain), (Worker(), multigrid)):
        with pytest.raises(
            ValueError, match=f"drop_remainder=False.*{worker.count} and {row.name}"
        ):
            check_workers(worker, row, drop_remainder=False)


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("workers") / "shapes"
    return data.make_moving_shapes(
        folder, videos_per_class=4, val_videos_per_class=1, frames=16, size=32
    )


def start(shapes, work_dir, epochs, workers=1, recipe=TRAIN):
    """The processes of a run."""
    flags = [
        f"--train_list={shapes.train_list}",
        f"--val_list={shapes.val_list}",
        f"--data_root={shapes.root}",
        f"--work_dir={work_dir}",
        f"--epochs={epochs}",
        "--batch_size=4",
        "--size=32",
        "--views=1x1",
        "--deterministic",
    ]
    logs = [work_dir.parent / f"{work_dir.name}_{index}.log" for index in range(workers)]
    return [
        run(recipe, flags, config, log) for config, log in zip(cluster(workers), logs, strict=True)
    ]


def cluster(workers):
    """The TF_CONFIG of each worker; empty for a single worker."""
    if workers == 1:
        return [None]
    addresses = [f"127.0.0.1:{free_port()}" for _ in range(workers)]
    tasks = ({"type": "worker", "index": index} for index in range(workers))
    return [json.dumps({"cluster": {"worker": addresses}, "task": task}) for task in tasks]


def run(script, arguments, config, log):
    """Starts the process of a worker, which writes to a log."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment |= {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_NUM_INTRAOP_THREADS": "1"}
    if config:
        environment["TF_CONFIG"] = config
    command = [sys.executable, *map(str, script), *map(str, arguments)]
    with log.open("a") as file:
        return subprocess.Popen(command, env=environment, stdout=file, stderr=subprocess.STDOUT)


def free_port():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


def finish(processes, work_dir, seconds=400):
    """Waits for a run to succeed; returns its weights."""
    try:
        for index, process in enumerate(processes):
            log = work_dir.parent / f"{work_dir.name}_{index}.log"
            assert process.wait(timeout=seconds) == 0, log.read_text()[-3000:]
    finally:
        stop(processes)
    return keras.models.load_model(work_dir / "model.keras").get_weights()


def stop(processes):
    for process in processes:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.wait()


@pytest.mark.slow
def test_two_workers_match_a_single_process(shapes, tmp_path):
    single = finish(start(shapes, tmp_path / "one", 2), tmp_path / "one")
    double = finish(start(shapes, tmp_path / "two", 2, workers=2), tmp_path / "two")
    for first, second in zip(single, double, strict=True):
        np.testing.assert_allclose(first, second, rtol=1e-3, atol=1e-5)
    reports = [
        json.loads((tmp_path / name / "metrics.json").read_text()) for name in ("one", "two")
    ]
    assert reports[0]["last_loss"] == pytest.approx(reports[1]["last_loss"], rel=1e-3)
    assert reports[0]["last_val_top1"] == reports[1]["last_val_top1"]
    assert reports[0]["epochs"] == reports[1]["epochs"] == 2
    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} == {"one", "two"}


@pytest.fixture(scope="module")
def uninterrupted(shapes, tmp_path_factory):
    """The weights and log of a run of two workers, and the seconds from its first file to its end.

    The network has batch norms and convolutions, its optimizer clips, decays and has a momentum.
    """
    folder = tmp_path_factory.mktemp("uninterrupted") / "run"
    processes = start(shapes, folder, 2, workers=2, recipe=TRAIN_TSN)
    wait_for(folder / "settings.json", processes)
    start_time = time.monotonic()
    weights = finish(processes, folder)
    return weights, read_log(folder / "log.csv"), time.monotonic() - start_time


@pytest.mark.slow
def test_two_workers_are_bitwise_reproducible(shapes, uninterrupted, tmp_path):
    folder = tmp_path / "again"
    weights = finish(start(shapes, folder, 2, workers=2, recipe=TRAIN_TSN), folder)
    np.testing.assert_equal(read_log(folder / "log.csv"), uninterrupted[1])
    for first, second in zip(uninterrupted[0], weights, strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.mark.slow
@pytest.mark.parametrize("lost", [0, 1])
def test_a_run_whose_worker_was_killed_ends_like_an_uninterrupted_one(
    lost, shapes, uninterrupted, tmp_path
):
    folder = tmp_path / "broken"
    processes = start(shapes, folder, 2, workers=2, recipe=TRAIN_TSN)
    draws = np.random.default_rng()
    file = draws.choice(("settings.json", "log.csv"))  # written before and after the first epoch
    wait_for(folder / file, processes)
    seconds = draws.uniform(0, 0.2) * uninterrupted[2]
    moment = f"killed {seconds:.1f} s after {file}"
    time.sleep(seconds)
    processes[lost].send_signal(signal.SIGKILL)
    # The remaining worker misses its peer.
    assert processes[1 - lost].wait(timeout=300) != 0, moment
    stop(processes)
    assert not (folder / "metrics.json").exists()
    resumed = finish(start(shapes, folder, 2, workers=2, recipe=TRAIN_TSN), folder)
    np.testing.assert_equal(read_log(folder / "log.csv"), uninterrupted[1], err_msg=moment)
    for first, second in zip(uninterrupted[0], resumed, strict=True):
        np.testing.assert_array_equal(first, second, err_msg=moment)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("lost", "how"), [(0, signal.SIGKILL), (1, signal.SIGKILL), (1, signal.SIGSTOP)]
)
def test_a_lost_worker_stops_the_other(tmp_path, lost, how):
    script = Path(__file__).with_name("endless_workers_run.py")
    started = [tmp_path / f"started_{index}" for index in range(2)]
    logs = [path.with_suffix(".log") for path in started]
    configs = zip(started, cluster(2), logs, strict=True)
    processes = [run([script], [path], config, log) for path, config, log in configs]
    try:
        for path in started:
            wait_for(path, processes, seconds=120)
        processes[lost].send_signal(how)
        other = processes[1 - lost]
        assert other.wait(timeout=60) not in (0, None), logs[1 - lost].read_text()[-3000:]
    finally:
        stop(processes)
    assert "Error" in logs[1 - lost].read_text()


@pytest.mark.slow
def test_a_waiting_worker_names_the_missing_ones(tmp_path):
    script = Path(__file__).with_name("endless_workers_run.py")
    log = tmp_path / "chief.log"
    config = cluster(2)[0]
    peer = json.loads(config)["cluster"]["worker"][1]
    # On a busy machine, imports are slow; the worker waits only after them.
    process = run([script], [tmp_path / "started"], config, log)
    try:
        end = time.monotonic() + 90
        while f"Waiting for worker 1 ({peer})" not in log.read_text():
            assert process.poll() is None and time.monotonic() < end, log.read_text()
            time.sleep(0.2)
    finally:
        stop([process])


def norm_statistics(folder, *arguments):
    """Final statistics of each of two workers, and the batches (workers, batches, examples, 2)."""
    paths = [folder / f"{index}.npz" for index in range(2)]
    script = Path(precise_workers_run.__file__)
    processes = [
        run([script], [path, *arguments], config, path.with_suffix(".log"))
        for path, config in zip(paths, cluster(2), strict=True)
    ]
    try:
        for path, process in zip(paths, processes, strict=True):
            assert process.wait(timeout=240) == 0, path.with_suffix(".log").read_text()[-3000:]
    finally:
        stop(processes)
    batches = np.stack([precise_workers_run.batches(index) for index in range(2)])
    return [dict(np.load(path)) for path in paths], batches


@pytest.mark.slow
def test_precise_statistics_of_norms_are_those_of_all_workers(tmp_path):
    statistics, batches = norm_statistics(tmp_path)
    for received in statistics:
        np.testing.assert_allclose(received["mean"], batches.mean((0, 1, 2)), rtol=1e-5)
        np.testing.assert_allclose(
            received["variance"], batches.var(axis=2).mean((0, 1)), rtol=1e-4
        )


@pytest.mark.slow
def test_followed_statistics_of_norms_are_shared_at_the_end_of_an_epoch(tmp_path):
    statistics, batches = norm_statistics(tmp_path, "followed")
    mean = np.zeros(2)
    for batch in np.tile(batches.mean((0, 2)), (2, 1)):
        mean = precise_workers_run.MOMENTUM * mean + (1 - precise_workers_run.MOMENTUM) * batch
    for received in statistics:
        np.testing.assert_allclose(received["mean"], mean, rtol=1e-5)
    for name in ("mean", "variance"):
        np.testing.assert_array_equal(statistics[0][name], statistics[1][name])


def wait_for(path, processes, seconds=400):
    end = time.monotonic() + seconds
    while not path.exists():
        assert all(process.poll() is None for process in processes), "a process ended early"
        assert time.monotonic() < end, f"{path} did not appear"
        time.sleep(0.05)
