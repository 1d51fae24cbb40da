import dataclasses
import json
import os

import numpy as np
import pytest
import tensorflow as tf

from keras_video.data import (
    AnnotationError,
    CenterCrop,
    DecodeReport,
    EpochCounter,
    Flip,
    FlowFrames,
    Images,
    MultiScaleCrop,
    RawFrames,
    Resize,
    SampleFrames,
    VideoParts,
    Videos,
    dataset_from_records,
    pack_records,
    read_annotations,
    tfrecord_dataset,
)
from keras_video.data.annotations.records import Record
from keras_video.data.decoding.videos import DecodeError
from keras_video.data.sources.packing import open_packed, pack, unpack
from keras_video.data.sources.shard_tables import Packed
from tests.cli.running import call
from tests.data.sources.test_raw_frames import write_flow, write_frames
from tests.images import write_image
from tests.videos import moving_gradient, write_video

TRANSFORMS = (Resize(short_side=40), MultiScaleCrop(32, (1, 0.8)), Flip(0.5))
PLAIN = (CenterCrop(16),)
SEGMENTS = SampleFrames(1, num_clips=3)


def collect(dataset):
    clips, labels = zip(*dataset.as_numpy_iterator(), strict=True)
    return np.concatenate(clips), np.concatenate(labels)


def by_label(dataset):
    """The clips of a pass, by label; labels are distinct."""
    clips, labels = collect(dataset)
    return {int(label): clip for clip, label in zip(clips, labels, strict=True)}


@pytest.fixture(scope="module")
def videos(tiny_videos):
    """Eight records with distinct labels."""
    records = read_annotations(tiny_videos / "list.txt", tiny_videos)
    return [dataclasses.replace(record, labels=(n,)) for n, record in enumerate(records)]


@pytest.fixture(scope="module")
def shards(videos, tmp_path_factory):
    folder = tmp_path_factory.mktemp("shards")
    done = pack_records(videos, folder, shards=3, show_progress=False)
    assert done.created == 3 and not done.failed
    return folder


def test_clips_are_those_of_the_files(videos, shards):
    options = {"sampling": SEGMENTS, "transforms": TRANSFORMS, "training": True, "seed": 3}
    packed = tfrecord_dataset(shards, epoch=EpochCounter(2), **options)
    files = dataset_from_records(videos, epoch=EpochCounter(2), **options)
    assert packed.element_spec == files.element_spec and len(packed) == len(files) == 1
    for _ in range(2):
        clips, expected = by_label(packed), by_label(files)
        assert set(clips) == set(range(8))
        for label, clip in clips.items():
            np.testing.assert_array_equal(clip, expected[label])


def test_order_of_passes(shards):
    options = {"sampling": SEGMENTS, "transforms": PLAIN}
    mixed = tfrecord_dataset(shards, training=True, **options)
    first, second = collect(mixed)[1].tolist(), collect(mixed)[1].tolist()
    assert first != second and sorted(first) == sorted(second) == list(range(8))
    again = tfrecord_dataset(shards, training=True, epoch=EpochCounter(1), **options)
    assert collect(again)[1].tolist() == second
    plain = tfrecord_dataset(shards, **options)
    assert collect(plain)[1].tolist() == collect(plain)[1].tolist()


def test_order_does_not_depend_on_the_global_seed(shards):
    orders = []
    for seed in (0, 7):
        tf.random.set_seed(seed)
        mixed = tfrecord_dataset(shards, sampling=SEGMENTS, transforms=PLAIN, training=True)
        orders.append(collect(mixed)[1].tolist())
    assert orders[0] == orders[1]


def test_packing_resumes(videos, tmp_path):
    pack_records(videos, tmp_path, shards=4, show_progress=False)
    names = sorted(path.name for path in tmp_path.glob("*.tfrecord"))
    assert names[0] == "examples-00000-of-00004.tfrecord" and len(names) == 4
    (tmp_path / names[2]).write_bytes(b"half of it")
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    del manifest["finished"][names[2]]
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(AnnotationError, match="received 3 of 4 shards, expected all"):
        tfrecord_dataset(tmp_path, sampling=SEGMENTS, transforms=PLAIN)
    done = pack_records(videos, tmp_path, shards=4, show_progress=False)
    assert (done.created, done.reused) == (1, 3)
    labels = collect(tfrecord_dataset(tmp_path, sampling=SEGMENTS, transforms=PLAIN))[1]
    assert sorted(labels) == list(range(8))
    with pytest.raises(ValueError, match="the items of the list have changed"):
        pack_records(videos[:5], tmp_path, shards=4, show_progress=False)
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=r"expected a folder with manifest\.json"):
        tfrecord_dataset(tmp_path / "empty", sampling=SEGMENTS, transforms=PLAIN)


def test_unreadable_files_are_skipped_and_reported(videos, tmp_path):
    records = [*videos[:3], Record("absent.mp4", (3,))]
    done = pack_records(records, tmp_path, shards=2, on_error="skip", show_progress=False)
    assert [path for path, _ in done.failed] == ["absent.mp4"]
    dataset = tfrecord_dataset(tmp_path, sampling=SEGMENTS, transforms=PLAIN)
    assert sorted(collect(dataset)[1]) == [0, 1, 2]


def test_bad_videos(videos, tiny_videos, tmp_path):
    bad = Record(str(tiny_videos / "bad.mp4"), (9,))
    pack_records([*videos[:2], bad], tmp_path, shards=1, show_progress=False)
    report = DecodeReport()
    options = {"sampling": SEGMENTS, "transforms": PLAIN}
    dataset = tfrecord_dataset(tmp_path, on_error="skip", report=report, **options)
    assert sorted(collect(dataset)[1]) == [0, 1]
    assert [failure.path for failure in report.failures] == [bad.path]
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"bad\.mp4"):
        collect(tfrecord_dataset(tmp_path, **options))
    with pytest.raises(ValueError, match="on_error='replace'"):
        tfrecord_dataset(tmp_path, on_error="replace", **options)
    with pytest.raises(ValueError, match="was packed from Videos"):
        tfrecord_dataset(tmp_path, source=Images(), **options)


@pytest.mark.parametrize("kind", ["frames", "flow", "stacked", "images", "parts"])
def test_other_sources(kind, tmp_path):
    facts = {}
    if kind == "frames":
        source = RawFrames("img_{:05}.png")
        write_frames(tmp_path / "a")
        facts = {"total_frames": 6, "offset": 2}
    elif kind in ("flow", "stacked"):
        source = FlowFrames("{}_{:05d}.png", stacked=kind == "stacked")
        write_flow(tmp_path / "a")
    elif kind == "images":
        source = Images(4)
        write_image(tmp_path / "a", moving_gradient(1)[0])
    else:
        source = VideoParts()
        facts = {"parts": (0, 2)}
        for part in (0, 2):
            (tmp_path / "a").mkdir(exist_ok=True)
            write_video(tmp_path / f"a/part_{part}.mp4", moving_gradient(5 + part, seed=part))
    record = Record(str(tmp_path / "a"), (1, 4), **facts)
    options = {"sampling": SampleFrames(2, num_clips=2), "transforms": (), "training": True}
    options |= {"classes": 6, "batch_size": 1}
    expected = collect(dataset_from_records([record], source=source, **options))
    pack_records([record], tmp_path / "shards", source, shards=1, classes=6, show_progress=False)
    packed = collect(tfrecord_dataset(tmp_path / "shards", source=source, **options))
    np.testing.assert_array_equal(packed[0], expected[0])
    assert packed[1].tolist() == expected[1].tolist() == [[0, 1, 0, 0, 1, 0]]


def test_records_round_trip(tmp_path):
    path = str(tmp_path / "a.mp4")
    for annotated in (None, (), (range(2), range(5, 9))):
        record = Record(path, (5,), "list.txt", 7, annotated=annotated)
        packed = Packed(record, 3, ("a.mp4",), (b"content",))
        assert unpack(pack(packed)) == packed and pack(packed) == pack(packed)


def test_non_utf8_names_round_trip(tmp_path):
    path = tmp_path / os.fsdecode(b"caf\xe9\n.mp4")
    record = Record(str(path), (5,), os.fsdecode(b"\xff.txt"), 7)
    packed = Packed(record, 3, (path.name,), (b"content",))
    assert unpack(pack(packed)) == packed


def test_packed_names_stay_in_their_folder():
    packed = Packed(Record("a.mp4", (0,)), 0, ("../../a.mp4",), (b"",))
    with pytest.raises(DecodeError, match=r"it contains a file named '\.\./\.\./a\.mp4'"):
        open_packed(Videos(), packed, None)


def test_the_script(tiny_videos, tmp_path):
    (tmp_path / "list.txt").write_text("left/video0.mp4 0\nabsent.mp4 1\nright/video1.mp4 1\n")
    flags = [
        "--list",
        tmp_path / "list.txt",
        "--data_root",
        tiny_videos,
        "--out",
        tmp_path / "shards",
    ]
    assert (
        call("pack", *flags, "--shards", 2, "--on_error", "skip") == "1 of 3 examples were skipped."
    )
    dataset = tfrecord_dataset(tmp_path / "shards", sampling=SEGMENTS, transforms=PLAIN)
    assert sorted(collect(dataset)[1]) == [0, 1]


@pytest.mark.parametrize(
    ("flags", "source"),
    [
        (
            ("--source", "flow", "--template", "{}_{:05d}.png", "--start_index", 0, "--stacked"),
            FlowFrames("{}_{:05d}.png", start_index=0, stacked=True),
        ),
        (("--source", "rawframes", "--template", "rgb/{}.png"), RawFrames("rgb/{}.png")),
        (("--source", "images", "--frames", 4), Images(frames=4)),
    ],
)
def test_the_script_packs_sources_with_their_options(tmp_path, flags, source):
    if isinstance(source, Images):
        write_image(tmp_path / "a.png", moving_gradient(1)[0])
        line = "a.png 0"
    elif isinstance(source, FlowFrames):
        write_flow(tmp_path / "a", start=0)
        line = "a 6 0"
    else:
        write_frames(tmp_path / "a", template=source.template)
        line = "a 6 0"
    (tmp_path / "list.txt").write_text(line)
    where = ("--list", tmp_path / "list.txt", "--data_root", tmp_path, "--out", tmp_path / "shards")
    assert call("pack", *where, *flags) is None
    options = {"sampling": SampleFrames(2, num_clips=1), "transforms": (), "source": source}
    (record,) = read_annotations(
        tmp_path / "list.txt", tmp_path, annotation_format=source.annotation_format
    )
    expected = collect(dataset_from_records([record], **options))
    np.testing.assert_array_equal(
        collect(tfrecord_dataset(tmp_path / "shards", **options))[0], expected[0]
    )


def test_flags_that_do_not_apply_to_a_source_are_rejected(tmp_path):
    flags = ("--list", tmp_path / "list.txt", "--out", tmp_path, "--source", "images")
    with pytest.raises(ValueError, match="--stacked with --source images, which takes --frames"):
        call("pack", *flags, "--stacked")
