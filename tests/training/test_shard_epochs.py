"""Every example of packed shards once per epoch over all workers, also in a resumed run."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from keras_video import data
from keras_video.training.distribution import Worker, WorkerShard
from tests.training.test_workers import finish, start

COUNT = 22
HOW = {
    "sampling": data.SampleFrames(1, num_clips=1),
    "transforms": (data.CenterCrop(16),),
    "classes": COUNT,
}


@pytest.fixture(scope="module")
def packed(tiny_videos, tmp_path_factory):
    """22 examples, each with a unique label, in five shards of unequal length."""
    records = data.read_annotations(tiny_videos / "list.txt", tiny_videos)
    records = [dataclasses.replace(records[n % 8], labels=(n,), line=n + 1) for n in range(COUNT)]
    folder = tmp_path_factory.mktemp("packed")
    data.pack_records(records, folder, container="tar", shards=5, show_progress=False)
    return folder, records


def share(what, index, count, batch_size=6, epoch=None, **options):
    """The dataset of one of several workers, whose batches add up to `batch_size`."""
    order = WorkerShard(Worker(index, count), batch_size) if count > 1 else None
    make = data.dataset_from_records if isinstance(what, list) else data.video_dataset
    return make(
        what,
        **HOW,
        **options,
        training=True,
        seed=7,
        shuffle=order,
        batch_size=batch_size // count,
        drop_remainder=True,
        epoch=epoch,
    )


def labels(dataset):
    """The labels of a pass, a row for each batch."""
    return np.stack([batch.numpy() for _, batch in dataset])


@pytest.mark.parametrize("count", [1, 2, 3])
def test_workers_split_an_epoch(count, packed):
    """Their concatenated batches are those of a single process: none duplicated, none lost."""
    folder, records = packed
    workers = [share(folder, index, count) for index in range(count)]
    single = share(records, 0, 1)
    assert [len(worker) for worker in workers] == [COUNT // 6] * count
    orders = []
    for _ in range(3):
        labels_read = np.concatenate([labels(worker) for worker in workers], axis=1)
        np.testing.assert_array_equal(labels_read, labels(single))
        assert labels_read.size == len(set(labels_read.ravel().tolist())) == COUNT // 6 * 6
        orders.append(labels_read.tolist())
    assert orders[0] != orders[1] != orders[2]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_resumed_run_reads_the_same_examples_as_an_uninterrupted_one(count, packed):
    folder, _ = packed
    for index in range(count):
        uninterrupted = share(folder, index, count)
        expected = [labels(uninterrupted) for _ in range(4)]
        resumed = share(folder, index, count, epoch=data.EpochCounter(2))
        np.testing.assert_array_equal(labels(resumed), expected[2])
        np.testing.assert_array_equal(labels(resumed), expected[3])


@pytest.mark.parametrize("count", [1, 2])
def test_where_the_batch_divides_the_list_every_example_comes_once(count, packed):
    folder, _ = packed
    workers = [share(folder, index, count, batch_size=2) for index in range(count)]
    for _ in range(2):
        labels_read = np.concatenate([labels(worker).ravel() for worker in workers])
        assert sorted(labels_read.tolist()) == list(range(COUNT))


def test_a_single_process_keeps_the_last_batch(packed):
    dataset = data.video_dataset(packed[0], **HOW, training=True, batch_size=6)
    labels_read = [batch.numpy() for _, batch in dataset]
    assert [len(batch) for batch in labels_read] == [6, 6, 6, 4]
    assert sorted(np.concatenate(labels_read).tolist()) == list(range(COUNT))


def test_an_evaluation_counts_every_clip_once(packed):
    dataset = data.video_dataset(packed[0], **HOW, batch_size=4)
    for _ in range(2):
        labels_read = np.concatenate([batch.numpy() for _, batch in dataset])
        assert labels_read.tolist() == list(range(COUNT))  # in the order of the list


@pytest.mark.slow
def test_two_workers_train_on_shards_as_one_process_does_on_files(tmp_path):
    shapes = data.make_moving_shapes(
        tmp_path / "shapes", videos_per_class=4, val_videos_per_class=1, frames=16, size=32
    )
    lists = {}
    for part, file in (("train", shapes.train_list), ("val", shapes.val_list)):
        records = data.read_annotations(file, shapes.root)
        lists[f"{part}_list"] = tmp_path / "packed" / part
        data.pack_records(records, lists[f"{part}_list"], shards=3, show_progress=False)
    packed = SimpleNamespace(**lists, root="")
    single = finish(start(shapes, tmp_path / "single", 1), tmp_path / "single")
    double = finish(start(packed, tmp_path / "double", 1, workers=2), tmp_path / "double")
    for first, second in zip(single, double, strict=True):
        np.testing.assert_allclose(first, second, rtol=1e-3, atol=1e-5)
