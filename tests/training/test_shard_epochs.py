"""Each example of packed shards once an epoch, over all workers, also of a run that is resumed."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from keras_video import data
from keras_video.training.distribution import Worker, WorkersShare
from tests.training.test_workers import finish, start

COUNT = 22
HOW = {
    "sampling": data.SampleFrames(1, num_clips=1),
    "transforms": (data.CenterCrop(16),),
    "classes": COUNT,
}


@pytest.fixture(scope="module")
def packed(tiny_videos, tmp_path_factory):
    """22 examples, each with a label of its own, in five shards of unequal length."""
    records = data.read_annotations(tiny_videos / "list.txt", tiny_videos)
    records = [dataclasses.replace(records[n % 8], labels=(n,), line=n + 1) for n in range(COUNT)]
    folder = tmp_path_factory.mktemp("packed")
    data.pack_records(records, folder, container="tar", shards=5, show_progress=False)
    return folder, records


def share(what, index, count, batch_size=6, epoch=None, **options):
    """The dataset of one of so many workers, whose batches have `batch_size` together."""
    order = WorkersShare(Worker(index, count), batch_size) if count > 1 else None
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
    """Those of a pass, a row for each batch."""
    return np.stack([batch.numpy() for _, batch in dataset])


@pytest.mark.parametrize("count", [1, 2, 3])
def test_workers_share_out_an_epoch(count, packed):
    """Their batches side by side are those of one process on the files: none twice, none lost."""
    folder, records = packed
    workers = [share(folder, index, count) for index in range(count)]
    one = share(records, 0, 1)
    assert [len(worker) for worker in workers] == [COUNT // 6] * count
    seen = []
    for _ in range(3):
        found = np.concatenate([labels(worker) for worker in workers], axis=1)
        np.testing.assert_array_equal(found, labels(one))
        assert found.size == len(set(found.ravel().tolist())) == COUNT // 6 * 6
        seen.append(found.tolist())
    assert seen[0] != seen[1] != seen[2]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_run_that_is_resumed_sees_what_an_unbroken_one_sees(count, packed):
    folder, _ = packed
    for index in range(count):
        unbroken = share(folder, index, count)
        expected = [labels(unbroken) for _ in range(4)]
        resumed = share(folder, index, count, epoch=data.EpochCounter(2))
        np.testing.assert_array_equal(labels(resumed), expected[2])
        np.testing.assert_array_equal(labels(resumed), expected[3])


@pytest.mark.parametrize("count", [1, 2])
def test_where_the_batch_divides_the_list_every_example_comes_once(count, packed):
    folder, _ = packed
    workers = [share(folder, index, count, batch_size=2) for index in range(count)]
    for _ in range(2):
        found = np.concatenate([labels(worker).ravel() for worker in workers])
        assert sorted(found.tolist()) == list(range(COUNT))


def test_a_single_process_keeps_the_last_batch(packed):
    dataset = data.video_dataset(packed[0], **HOW, training=True, batch_size=6)
    found = [batch.numpy() for _, batch in dataset]
    assert [len(one) for one in found] == [6, 6, 6, 4]
    assert sorted(np.concatenate(found).tolist()) == list(range(COUNT))


def test_an_evaluation_counts_every_clip_once(packed):
    dataset = data.video_dataset(packed[0], **HOW, batch_size=4)
    for _ in range(2):
        found = np.concatenate([batch.numpy() for _, batch in dataset])
        assert found.tolist() == list(range(COUNT))  # in the order of the list


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
    one = finish(start(shapes, tmp_path / "one", 1), tmp_path / "one")
    two = finish(start(packed, tmp_path / "two", 1, workers=2), tmp_path / "two")
    for first, second in zip(one, two, strict=True):
        np.testing.assert_allclose(first, second, rtol=1e-3, atol=1e-5)
