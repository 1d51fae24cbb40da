"""Loading through a dispatcher and two workers, each in a separate process, on this machine."""

import base64
import contextlib
import dataclasses
import json
import os
import pickle
import socket
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from keras_video import data
from keras_video.data import EpochCounter, Flip, MultiScaleCrop, Resize, SampleFrames
from keras_video.data.annotations.records import Record
from keras_video.data.pipelines import servers, service_client, wire
from keras_video.data.pipelines.service_client import Client
from keras_video.data.pipelines.specs import decode, encode
from keras_video.data.transforms.operations import IMGAUG

REPOSITORY = Path(__file__).resolve().parents[3]
OPTIONS = {
    "sampling": SampleFrames(1, num_clips=3),
    "transforms": (Resize(short_side=40), MultiScaleCrop(32, (1, 0.8)), Flip(0.5)),
    "training": True,
    "seed": 4,
    "batch_size": 3,
}


@pytest.fixture(scope="module")
def service():
    """Address of a dispatcher with two workers."""
    dispatcher = data.serve_dispatcher()
    assert dispatcher.target.startswith("127.0.0.1:")
    command = [sys.executable, "-m", "keras_video", "serve-data", "--dispatcher"]
    command.append(dispatcher.target)
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "CUDA_VISIBLE_DEVICES": ""}
    workers = [
        subprocess.Popen(
            command, env=environment, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    for worker in workers:
        assert worker.stdout.readline().startswith("worker of")
    yield dispatcher.target
    for worker in workers:
        worker.kill()
        worker.wait()


@pytest.fixture(scope="module")
def records(tiny_videos):
    listed = data.read_annotations(tiny_videos / "list.txt", tiny_videos)
    return [Record(record.path, (number,)) for number, record in enumerate(listed)]


def by_label(batches):
    return {int(label): clip for clips, labels in batches for clip, label in zip(clips, labels)}  # noqa: B905


@pytest.mark.slow(every_change=True)
def test_every_example_once_in_each_epoch(service, records):
    dataset = data.served_dataset(records, service=service, epochs=3, start_epoch=1, **OPTIONS)
    assert len(dataset) == 6
    local = data.dataset_from_records(records, epoch=EpochCounter(1), **OPTIONS)
    assert dataset.element_spec == local.element_spec
    batches = list(dataset.as_numpy_iterator())
    # Clips, draws, order and batches are bitwise identical to those of a loader in this process.
    expected = [batch for _ in range(2) for batch in local.as_numpy_iterator()]
    labels = [np.concatenate([labels for _, labels in part]) for part in (batches, expected)]
    np.testing.assert_array_equal(*labels)
    clips = [np.concatenate([clips for clips, _ in part]) for part in (batches, expected)]
    np.testing.assert_array_equal(*clips)


def test_bad_videos(service, records, tiny_videos):
    bad = [*records[:3], Record(str(tiny_videos / "bad.mp4"), (9,))]
    options = {**OPTIONS, "training": False}
    dataset = data.served_dataset(bad, service=service, on_error="skip", **options)
    assert sorted(by_label(dataset.as_numpy_iterator())) == [0, 1, 2]
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"cannot decode .*bad\.mp4"):
        list(data.served_dataset(bad, service=service, **options))


@pytest.fixture
def here():
    """A dispatcher and a worker in this process."""
    dispatcher = data.serve_dispatcher()
    worker = data.serve_worker(dispatcher.target)
    assert worker.wait()
    yield dispatcher, worker
    worker.stop()
    dispatcher.stop()


@pytest.mark.slow(every_change=True)
def test_clips_equal_those_of_a_local_loader(here, records):
    augment = (Resize(short_side=40), MultiScaleCrop(32, (1, 0.8)), data.RandAugment(IMGAUG))
    for options in (
        OPTIONS,
        {**OPTIONS, "training": False, "transforms": (Resize(short_side=32), data.ThreeCrop(32))},
        {**OPTIONS, "transforms": (*augment, data.Normalize((1, 2, 3), (4, 5, 6)))},
    ):
        served = data.served_dataset(records, service=here[0].target, **options)
        local = data.dataset_from_records(records, **options)
        assert served.element_spec == local.element_spec
        assert len(served) == len(local)
        pairs = zip(served.as_numpy_iterator(), local.as_numpy_iterator(), strict=True)
        for (clips, labels), (others, numbers) in pairs:
            np.testing.assert_array_equal(labels, numbers)
            np.testing.assert_array_equal(clips, others)


def test_multi_hot_labels(here, records):
    several = [Record(record.path, (0, number + 1)) for number, record in enumerate(records[:3])]
    options = {**OPTIONS, "classes": 9, "batch_size": 2}
    served = data.served_dataset(several, service=here[0].target, **options)
    local = data.dataset_from_records(several, **options)
    for batch, expected in zip(served.as_numpy_iterator(), local.as_numpy_iterator(), strict=True):
        np.testing.assert_array_equal(batch[1], expected[1])


class Marks:
    """Leaves a trace when unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_pickles_run_nowhere(here, tmp_path):
    payload = pickle.dumps(Marks(tmp_path / "ran"))
    as_text = base64.b64encode(payload).decode()
    for server in here:
        address = f"127.0.0.1:{server.port}"
        framed = struct.pack("!Q", len(payload)) + payload
        for raw in (
            payload,
            framed,
            struct.pack("!Q", 1 << 60) + payload,
            b"GET / HTTP/1.1\r\n\r\n",
        ):
            with wire.connect(address) as line:
                line.sendall(raw)
                with contextlib.suppress(OSError):
                    line.shutdown(socket.SHUT_WR)
                    assert "error" in wire.receive(line)[0]
        for content in (
            as_text,
            [as_text],
            {"ask": as_text},
            {"ask": "open", "reader": as_text},
            {"ask": "open", "reader": {"class": "Marks", "fields": {"path": as_text}}},
            {"ask": "open", "reader": {"pickle": as_text}},
            {"ask": "example", "epoch": 0, "index": 0, "record": as_text},
        ):
            with wire.connect(address) as line:
                wire.send(line, content)
                assert wire.receive(line)[0]["error"]
        with wire.connect(address) as line:
            wire.send(line, {"ask": "open"}, [np.frombuffer(payload, np.uint8)])
            assert wire.receive(line)[0]["error"]
    assert not (tmp_path / "ran").exists()
    pickle.loads(payload)
    assert (tmp_path / "ran").exists()


def test_service_modules_do_not_unpickle():
    folder = Path(servers.__file__).parent
    for name in ("service", "service_client", "servers", "specs", "wire"):
        text = (folder / f"{name}.py").read_text()
        assert "pickle" not in text and "marshal" not in text and "eval(" not in text


def test_arrays_of_objects_are_rejected():
    sender, receiver = socket.socketpair()
    header = json.dumps({"content": {}, "arrays": [["object", [1]]]}).encode()
    sender.sendall(struct.pack("!Q", len(header)) + header)
    with pytest.raises(wire.WireError, match="array 'object'"):
        wire.receive(receiver)
    for shape in ([-1], [1 << 62, 8], ["2"]):
        header = json.dumps({"content": {}, "arrays": [["uint8", shape]]}).encode()
        sender.sendall(struct.pack("!Q", len(header)) + header)
        with pytest.raises(wire.WireError, match="received an array"):
            wire.receive(receiver)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_servers_listen_on_loopback_alone(host):
    dispatcher = data.serve_dispatcher(host=host)
    worker = data.serve_worker(dispatcher.target, host=host)
    for server in (dispatcher, worker):
        assert server.server_address[0] == "127.0.0.1"
        with pytest.raises(OSError), socket.create_connection(("127.0.0.2", server.port), 5):
            pass
        server.stop()
    with pytest.raises(ValueError, match="host='0.0.0.0' without address"):
        data.serve_worker("h:1", host="0.0.0.0")


@dataclasses.dataclass(frozen=True)
class Own:
    """A user-defined transform."""

    value: int = 3

    def __call__(self, clip, seed):
        return clip + tf.cast(self.value, clip.dtype)


def test_user_defined_transforms_need_a_worker_that_knows_them(here, records):
    options = {**OPTIONS, "transforms": (*OPTIONS["transforms"], Own(5))}
    with pytest.raises(tf.errors.InvalidArgumentError, match="class 'Own', expected one of Sam"):
        list(data.served_dataset(records, service=here[0].target, **options))
    dispatcher = data.serve_dispatcher()
    worker = data.serve_worker(dispatcher.target, known=(Own,))
    served = list(data.served_dataset(records, service=dispatcher.target, **options))
    local = list(data.dataset_from_records(records, **options))
    np.testing.assert_array_equal(served[0][0], local[0][0])
    worker.stop()
    dispatcher.stop()
    with pytest.raises(ValueError, match=r"transforms: received .*lambda.*workers accept no code"):
        data.served_dataset(
            records, service="h:1", **{**OPTIONS, "transforms": (lambda clip, seed: clip,)}
        )


def test_a_worker_reads_only_inside_its_folder(records, tiny_videos, tmp_path):
    dispatcher = data.serve_dispatcher()
    worker = data.serve_worker(dispatcher.target, root=tiny_videos)
    assert len(list(data.served_dataset(records, service=dispatcher.target, **OPTIONS))) == 3
    for path in (tmp_path / "x.mp4", f"{tiny_videos}/../x.mp4", "/etc/passwd"):
        bad = [Record(str(path), (0,))]
        with pytest.raises(tf.errors.InvalidArgumentError, match="expected one in"):
            list(data.served_dataset(bad, service=dispatcher.target, **OPTIONS))
    worker.stop()
    dispatcher.stop()


def test_sizes_that_would_exhaust_memory_are_rejected(here, records):
    options = {**OPTIONS, "sampling": SampleFrames(1, num_clips=10**7)}
    client = Client(
        here[0].target, {"dict": [["sampling", encode(options["sampling"], "s")]]}, records
    )
    with pytest.raises(ValueError, match=r"sampling\.num_clips: found 10000000"):
        client.example(0, 0)


def test_encoding_round_trips():
    for value in (
        None, 1.5, "text", (1, (2, None)), {1: 2}, range(3, 9, 2),
        Record("a", (1,), "f", 2, annotated=(range(2),)),
        Flip(0.5, {1: 2, 2: 1}), data.RandAugment(IMGAUG), data.AugMix(), data.VideoParts(),
        data.RawFrames(), data.FlowFrames(), data.DenseSampleFrames(8), data.Videos("pyav", 32),
    ):  # fmt: skip
        assert decode(json.loads(json.dumps(encode(value, "value")))) == value
    for value in ({"class": "Path", "fields": {}}, {"tuple": 3}, {"range": [0, 1, 0]}, [1],
                  {"class": "Flip", "fields": {"x": 1}}, {"operation": -1},
                  {"class": "Videos", "fields": {"decoder": "cv"}}):  # fmt: skip
        with pytest.raises(ValueError, match="received|has no"):
            decode(value)


def test_losing_a_worker_loses_no_examples(records):
    dispatcher = data.serve_dispatcher()
    first, second = (data.serve_worker(dispatcher.target) for _ in range(2))
    dataset = data.served_dataset(records * 4, service=dispatcher.target, **OPTIONS)
    local = list(data.dataset_from_records(records * 4, **OPTIONS).as_numpy_iterator())
    batches = []
    for batch in dataset.as_numpy_iterator():
        if not batches:
            first.stop()
            for line in list(first._opened):
                with contextlib.suppress(OSError):
                    line.shutdown(socket.SHUT_RDWR)
        batches.append(batch)
    for (clips, _), (others, _) in zip(batches, local, strict=True):
        np.testing.assert_array_equal(clips, others)
    second.stop()
    dispatcher.stop()


@pytest.mark.slow(every_change=True)
def test_without_workers_there_is_an_error(records, monkeypatch):
    monkeypatch.setattr(service_client, "PATIENCE_SECONDS", 0.5)
    dispatcher = data.serve_dispatcher()
    dataset = data.served_dataset(records, service=dispatcher.target, **OPTIONS)
    with pytest.raises(tf.errors.InvalidArgumentError, match="no worker of the dispatcher 127"):
        list(dataset)
    dispatcher.stop()
    with pytest.raises(tf.errors.InvalidArgumentError, match="no worker of the dispatcher 127"):
        list(dataset)


def test_options_are_checked(records):
    with pytest.raises(ValueError, match="received start_epoch=2, epochs=2"):
        data.served_dataset(records, service="x:1", epochs=2, start_epoch=2, **OPTIONS)
    with pytest.raises(ValueError, match="on_error='replace'"):
        data.served_dataset(records, service="x:1", on_error="replace", **OPTIONS)
