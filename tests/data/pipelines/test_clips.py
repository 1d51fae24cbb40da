import hashlib
import json
import logging as standard_logging
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from absl import logging

from keras_video.data import (
    AnnotationError,
    CenterCrop,
    DecodeReport,
    DenseSampleFrames,
    EpochCounter,
    Flip,
    MultiScaleCrop,
    Normalize,
    Record,
    Resize,
    SampleFrames,
    ThreeCrop,
    UntrimmedSampleFrames,
    dataset_from_records,
    open_video,
    video_dataset,
)
from tests.videos import moving_gradient, write_video

REPOSITORY = Path(__file__).resolve().parents[3]
NORMALIZE = Normalize((120.0, 120.0, 120.0), (60.0, 60.0, 60.0))
TRAINING = (Resize(short_side=40), MultiScaleCrop(32, (1, 0.8)), Flip(0.5), NORMALIZE)
PLAIN = (Resize(short_side=32), CenterCrop(32), NORMALIZE)
SEGMENTS = SampleFrames(1, num_clips=3)


def train(folder, list_file="list.txt", **options):
    arguments = {"sampling": SEGMENTS, "transforms": TRAINING, "training": True, "batch_size": 3}
    return video_dataset(folder / list_file, folder, **{**arguments, **options})


def evaluate(folder, list_file="list.txt", **options):
    arguments = {"sampling": SEGMENTS, "transforms": PLAIN, "batch_size": 4}
    return video_dataset(folder / list_file, folder, **{**arguments, **options})


def collect(dataset):
    """All clips and labels of one pass."""
    clips, labels = zip(*dataset.as_numpy_iterator(), strict=True)
    return np.concatenate(clips), np.concatenate(labels)


@pytest.fixture(scope="module")
def partly_bad(tiny_videos):
    """A list of ten videos, of which the third and the last fail to decode."""
    lines = (tiny_videos / "list.txt").read_text().splitlines()
    lines = [*lines[:2], "bad.mp4 1", *lines[2:], "absent.mp4 0"]
    (tiny_videos / "partly_bad.txt").write_text("\n".join(lines))
    return tiny_videos


def test_training_batches(tiny_videos):
    dataset = train(tiny_videos)
    clips, labels = dataset.element_spec
    assert clips.shape.as_list() == [None, 3, 32, 32, 3] and clips.dtype == tf.float32
    assert labels.shape.as_list() == [None] and labels.dtype == tf.int32
    assert len(dataset) == 3
    sizes = [len(labels) for _, labels in dataset]
    assert sizes == [3, 3, 2]
    assert sorted(collect(dataset)[1]) == [0] * 4 + [1] * 4


def test_drop_remainder_gives_static_batches(tiny_videos):
    dataset = train(tiny_videos, drop_remainder=True)
    assert dataset.element_spec[0].shape.as_list() == [3, 3, 32, 32, 3]
    assert len(dataset) == len(list(dataset)) == 2


def test_evaluation_equals_reading_by_hand(tiny_videos):
    clips, labels = collect(evaluate(tiny_videos))
    assert clips.shape == (8, 3, 32, 32, 3)  # no axis of views for a single view
    lines = (tiny_videos / "list.txt").read_text().split()
    for number, (path, label) in enumerate(zip(lines[::2], lines[1::2], strict=True)):
        video = open_video(tiny_videos / path)
        clip = video.read(SEGMENTS(video.total_frames, training=False))
        for transform in PLAIN:
            clip = transform(clip, None)
        np.testing.assert_array_equal(clips[number], clip)
        assert labels[number] == int(label)


def test_views_are_ordered_by_time_then_crop(tiny_videos):
    sampling = SampleFrames(4, num_clips=2)
    transforms = (Resize(short_side=32), ThreeCrop(32), NORMALIZE)
    dataset = evaluate(tiny_videos, sampling=sampling, transforms=transforms, view_frames=4)
    assert dataset.element_spec[0].shape.as_list() == [None, 6, 4, 32, 32, 3]
    views = collect(dataset)[0][0]
    video = open_video(tiny_videos / "left" / "video0.mp4")
    rows = sampling(video.total_frames, training=False)
    for number in range(6):
        clip = video.read(rows[number // 3])
        for transform in transforms:
            clip = transform(clip, None)
        np.testing.assert_array_equal(views[number], clip[number % 3])


def test_crops_with_one_view_of_all_frames(tiny_videos):
    transforms = (Resize(short_side=32), ThreeCrop(32), NORMALIZE)
    clips, _ = collect(evaluate(tiny_videos, transforms=transforms))
    assert clips.shape == (8, 3, 3, 32, 32, 3)


def test_dense_sampling(tiny_videos):
    sampling = DenseSampleFrames(1, num_clips=4, sample_range=8, num_sample_positions=5)
    clips, _ = collect(evaluate(tiny_videos, sampling=sampling, view_frames=4))
    assert clips.shape == (8, 5, 4, 32, 32, 3)


def test_number_of_views_may_depend_on_the_video(tiny_videos):
    sampling = UntrimmedSampleFrames(2, 4)
    dataset = evaluate(tiny_videos, sampling=sampling, view_frames=2, batch_size=1)
    assert dataset.element_spec[0].shape.as_list() == [None, None, 2, 32, 32, 3]
    views = [clips.shape[1] for clips, _ in dataset]
    assert views == [len(sampling(12 + number)) for number in range(8)]
    assert len(set(views)) > 1


def test_short_videos_have_as_many_views_as_others(tmp_path):
    for name, count in (("short", 3), ("long", 20)):
        write_video(tmp_path / f"{name}.mp4", moving_gradient(count))
    (tmp_path / "list.txt").write_text("short.mp4 0\nlong.mp4 1\n")
    sampling = SampleFrames(4, num_clips=2, twice_sample=True)
    assert len(sampling(3, training=False)) < len(sampling(20, training=False))
    clips, _ = collect(evaluate(tmp_path, sampling=sampling, view_frames=4))
    assert clips.shape[:3] == (2, 4, 4)
    np.testing.assert_array_equal(clips[0, :2], clips[0, 2:])


def test_workers_do_not_change_the_data(tiny_videos):
    alone, together = (train(tiny_videos, seed=5, num_parallel_calls=workers) for workers in (1, 4))
    for _ in range(2):
        for first, second in zip(collect(alone), collect(together), strict=True):
            np.testing.assert_array_equal(first, second)


def digest(arrays):
    return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()


# Replicas and the deterministic mode are set per process, so they need a separate one.
SCRIPT = """
    import json, pathlib, sys
    import numpy as np
    import tensorflow as tf
    from keras_video.data import *
    from tests.data.pipelines.test_clips import collect, digest, train

    folder = pathlib.Path(sys.argv[1])
    cpu = tf.config.list_physical_devices("CPU")[0]
    two = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(cpu, two)
    results = {"plain": digest(collect(train(folder, seed=5)))}

    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    plain = train(folder, batch_size=4)
    distributed = strategy.experimental_distribute_dataset(train(folder, batch_size=4))
    results["replicas"] = []
    for _ in range(2):
        for shared, whole in zip(distributed, plain):
            for value, expected in zip(shared, whole):
                parts = strategy.experimental_local_results(value)
                same = np.array_equal(np.concatenate(parts), expected)
                results["replicas"].append([len(part) for part in parts] if same else "differ")

    tf.config.experimental.enable_op_determinism()
    tf.random.set_seed(0)
    results["deterministic"] = digest(collect(train(folder, seed=5)))
    print(json.dumps(results))
"""


@pytest.fixture(scope="module")
def other_process(tiny_videos):
    """The results of the other process."""
    finished = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SCRIPT), str(tiny_videos)],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert finished.returncode == 0, finished.stderr
    return json.loads(finished.stdout.splitlines()[-1])


@pytest.mark.slow(every_change=True)
def test_another_process_gives_the_same_data(tiny_videos, other_process):
    expected = digest(collect(train(tiny_videos, seed=5)))
    assert other_process["plain"] == expected
    assert other_process["deterministic"] == expected


@pytest.mark.slow(every_change=True)
def test_replicas_share_the_examples_of_the_global_batch(other_process):
    assert other_process["replicas"] == [[2, 2]] * 8


def test_epochs_differ_and_can_be_repeated(tiny_videos):
    epoch = EpochCounter()
    dataset = train(tiny_videos, epoch=epoch)
    passes = [collect(dataset) for _ in range(3)]
    assert epoch.value == 3
    assert not np.array_equal(passes[0][0], passes[1][0])
    assert not np.array_equal(passes[0][1], passes[1][1])
    epoch.value = 1
    np.testing.assert_array_equal(collect(dataset)[0], passes[1][0])
    resumed = train(tiny_videos, epoch=EpochCounter(2))
    np.testing.assert_array_equal(collect(resumed)[0], passes[2][0])


def test_repeat_goes_through_the_epochs(tiny_videos):
    single = train(tiny_videos, batch_size=4)
    expected = np.concatenate([collect(single)[0], collect(single)[0]])
    repeated = train(tiny_videos, batch_size=4).repeat(2)
    np.testing.assert_array_equal(collect(repeated)[0], expected)


def test_seed_changes_the_data_and_evaluation_never_changes(tiny_videos):
    first, second = (collect(train(tiny_videos, seed=seed))[0] for seed in (0, 1))
    assert not np.array_equal(first, second)
    dataset = evaluate(tiny_videos)
    np.testing.assert_array_equal(collect(dataset)[0], collect(dataset)[0])


def test_shuffle_can_be_chosen(tiny_videos):
    ordered = collect(train(tiny_videos, shuffle=False))[1]
    assert ordered.tolist() == [0, 1] * 4
    assert collect(evaluate(tiny_videos, shuffle=True))[1].tolist() != [0, 1] * 4


def test_multi_label_lists_give_multi_hot_labels(tiny_videos):
    (tiny_videos / "several.txt").write_text("left/video0.mp4 0 3\nright/video1.mp4 1\n")
    labels = collect(evaluate(tiny_videos, "several.txt", classes=5))[1]
    assert labels.dtype == np.float32
    assert labels.tolist() == [[1, 0, 0, 1, 0], [0, 1, 0, 0, 0]]
    assert collect(evaluate(tiny_videos, "several.txt"))[1].shape == (2, 4)
    assert collect(evaluate(tiny_videos, classes=2, multi_label=True))[1].shape == (8, 2)
    with pytest.raises(ValueError, match=r"several.txt:1: received labels \(0, 3\)"):
        evaluate(tiny_videos, "several.txt", multi_label=False)


def test_mirrored_clips_get_mirrored_labels(tiny_videos):
    flip = Flip(1.0, label_map={0: 1, 1: 0})
    labels = collect(evaluate(tiny_videos, transforms=(*PLAIN[:2], flip, NORMALIZE)))[1]
    assert labels.tolist() == [1, 0] * 4


def test_labels_are_checked_before_the_first_transform(tiny_videos):
    (tiny_videos / "wrong.txt").write_text("left/video0.mp4 0\nright/video1.mp4 2\n")
    with pytest.raises(AnnotationError, match=r"wrong.txt:2: received label 2"):
        evaluate(tiny_videos, "wrong.txt", classes=2)


def test_bad_videos_raise(partly_bad):
    report = DecodeReport()
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"cannot decode .*bad.mp4: Invalid"):
        collect(evaluate(partly_bad, "partly_bad.txt", report=report))
    assert report.failures[0].path.endswith("bad.mp4")


def test_bad_videos_are_skipped_and_reported(partly_bad, caplog):
    logging.get_absl_logger().propagate = True
    report = DecodeReport()
    dataset = evaluate(partly_bad, "partly_bad.txt", on_error="skip", report=report)
    assert len(dataset) == 3
    with caplog.at_level(standard_logging.WARNING, logger="absl"):
        clips, labels = collect(dataset)
    assert labels.tolist() == [0, 1] * 4
    np.testing.assert_array_equal(clips, collect(evaluate(partly_bad))[0])
    assert report.count == 2
    (message,) = [r.getMessage() for r in caplog.records if "could not be used" in r.getMessage()]
    assert message.startswith(
        "2 videos could not be used in this pass over the data; 2 files so far"
    )
    assert "bad.mp4: Invalid data" in message and "absent.mp4: No such file" in message
    collect(dataset)
    assert report.count == 4 and len(report.failures) == 2
    assert report.pass_counts == (2, 2)
    assert report.failures[0].reason.endswith("partly_bad.txt:3)")


@pytest.mark.parametrize("workers", [1, 4])
def test_bad_videos_are_replaced_by_others(workers, partly_bad):
    report = DecodeReport()
    options = {"on_error": "replace", "report": report, "num_parallel_calls": workers}
    dataset = evaluate(partly_bad, "partly_bad.txt", **options)
    assert len(dataset) == 3
    clips, _ = collect(dataset)
    assert report.count >= 2
    good = collect(evaluate(partly_bad))[0]
    np.testing.assert_array_equal(np.delete(clips, [2, 9], axis=0), good)
    for number in (2, 9):
        assert any(np.array_equal(clips[number], clip) for clip in good)
    np.testing.assert_array_equal(collect(dataset)[0], clips)
    drawn = train(partly_bad, "partly_bad.txt", on_error="replace", num_parallel_calls=workers)
    again = train(partly_bad, "partly_bad.txt", on_error="replace", num_parallel_calls=2)
    np.testing.assert_array_equal(collect(drawn)[0], collect(again)[0])


def test_no_replacement_left(tiny_videos):
    (tiny_videos / "all_bad.txt").write_text("bad.mp4 0\n")
    with pytest.raises(tf.errors.InvalidArgumentError, match="drawn as replacements failed"):
        collect(evaluate(tiny_videos, "all_bad.txt", on_error="replace"))


def test_decoder_resize(tiny_videos):
    (clips, _), (exact, _) = (
        collect(evaluate(tiny_videos, decoder_resize=choice)) for choice in (True, False)
    )
    assert clips.shape == exact.shape
    assert 0 < np.abs(clips - exact).mean() < 0.2
    with pytest.raises(ValueError, match=r"expected Resize\(short_side=...\) first"):
        evaluate(tiny_videos, transforms=PLAIN[1:], decoder_resize=True)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"on_error": "ignore"}, "received on_error='ignore'"),
        ({"seed": -1}, "received seed=-1"),
        ({"seed": None}, "received seed=None, expected a whole number of at least 0"),
        ({"seed": 0.5}, "received seed=0.5"),
        ({"batch_size": 0}, "received batch_size=0, expected a whole number of at least 1"),
        ({"batch_size": -1}, "received batch_size=-1"),
        ({"batch_size": 2.5}, "received batch_size=2.5"),
        ({"num_parallel_calls": 0}, "received num_parallel_calls=0"),
        ({"view_frames": 0}, "received view_frames=0"),
        ({"classes": 0}, "received label 0"),
        ({"transforms": (Resize(short_side=32), ThreeCrop(32))}, "crops with several views"),
        ({"view_frames": 2}, "the sampling returns 3 frames"),
        ({"view_frames": 2, "training": False}, "the sampling returns 3 frames"),
    ],
)
def test_options_that_contradict_each_other(options, message, tiny_videos):
    with pytest.raises(ValueError, match=message):
        train(tiny_videos, **options)


def test_epoch_and_report_reject_invalid_values():
    for value in (-1, 0.5, None):
        with pytest.raises(ValueError, match="expected a non-negative integer"):
            EpochCounter(value)


def resident_bytes():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
def test_memory_is_flat_over_a_thousand_clips(tiny_videos):
    epoch = EpochCounter()
    dataset = train(tiny_videos, epoch=epoch, transforms=PLAIN, batch_size=4).repeat()
    batches = iter(dataset)
    used = []
    for _ in range(5):
        for _ in range(60):
            next(batches)
        used.append(resident_bytes())
    assert epoch.value >= 150
    # A leak of one decoded frame (9 kB) in each of these 720 clips would add up to 6.6 MB.
    assert used[-1] - used[1] < 5e6


@pytest.mark.parametrize(
    ("labels", "options", "message"),
    [
        ((2**31,), {}, "received label 2147483648, expected at most 2147483647"),
        ((-1,), {}, "received label -1, expected 0 or more"),
        ((0, -1), {"classes": 3}, r"received label -1, expected a class index in \[0, 3\)"),
        ((0, 3), {"classes": 3}, r"received label 3, expected a class index in \[0, 3\)"),
    ],
)
def test_labels_of_records_are_checked(labels, options, message):
    with pytest.raises(ValueError, match=message):
        dataset_from_records(
            [Record("a.mp4", labels)], sampling=SEGMENTS, transforms=PLAIN, **options
        )
