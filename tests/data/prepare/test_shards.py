"""Packed shards: their content, their reproducibility, and the clips read from them."""

import dataclasses
import hashlib
import json
import os
import re
import shutil
import tarfile
import tracemalloc

import numpy as np
import pytest
import tensorflow as tf

from keras_video import data, zoo
from keras_video.data.annotations.records import Record
from keras_video.data.annotations.shards import check_source, is_manifest, list_of
from keras_video.data.pipelines.class_folders import ClassFolders, PartOfShards
from keras_video.data.pipelines.specs import decode, encode
from keras_video.data.prepare import shard_files
from keras_video.data.prepare.checking import check_records
from keras_video.data.prepare.resizing import resize_video
from keras_video.data.shard_paths import ShardPath, read_bytes
from keras_video.data.sources.packing import unpack
from keras_video.sharded import LocalEngine
from tests.audio_files import tone, write_audiovisual
from tests.data.audio.test_decoding import write_wav
from tests.data.sources.test_raw_frames import write_flow, write_frames
from tests.images import write_image
from tests.videos import moving_gradient, write_video

CONTAINERS = ("tfrecord", "tar")
SEGMENTS = data.SampleFrames(2, num_clips=2)
RANDOM = (data.Resize(short_side=40), data.MultiScaleCrop(32, (1, 0.8)), data.Flip(0.5))


def pack(records, folder, source=None, **options):
    return data.pack_records(records, folder, source, show_progress=False, **options)


def shards_of(folder):
    """The bytes of every shard and its companion files, without the manifest."""
    hidden = (".shards.lock", "manifest.json")
    files = [path for path in folder.iterdir() if path.name not in hidden]
    return {path.name: path.read_bytes() for path in files}


def batches(dataset):
    return [[part.numpy() for part in tf.nest.flatten(batch)] for batch in dataset]


def assert_equal(dataset, other):
    results, expected = batches(dataset), batches(other)
    assert len(results) == len(expected) > 0
    for batch, expected_batch in zip(results, expected, strict=True):
        for array, expected_array in zip(batch, expected_batch, strict=True):
            np.testing.assert_array_equal(array, expected_array)


@pytest.fixture(scope="module")
def listed(tiny_videos):
    return data.read_annotations(tiny_videos / "list.txt", tiny_videos)


@pytest.fixture(scope="module", params=CONTAINERS)
def packed(request, listed, tmp_path_factory):
    """The eight videos in three shards."""
    folder = tmp_path_factory.mktemp("packed") / request.param
    names = ["left", "right"]
    summary = pack(listed, folder, container=request.param, shards=3, class_names=names)
    assert (summary.created, summary.reused, summary.count, summary.failed) == (3, 0, 8, ())
    return folder


def test_the_manifest_counts_and_hashes(packed):
    manifest = json.loads((packed / "manifest.json").read_text())
    settings = manifest["settings"]
    assert settings["class_names"] == ["left", "right"] and settings["list"] == "list.txt"
    assert settings["format"] == "keras_video.shards" and settings["format_version"] == 1
    assert (manifest["examples"], manifest["left_out"]) == (8, 0)
    assert [shard["count"] for shard in manifest["finished"].values()] == [3, 3, 2]
    total = 0
    for number, (name, facts) in enumerate(manifest["finished"].items()):
        assert name == f"examples-{number:05}-of-00003.{packed.name}"
        content = (packed / name).read_bytes()
        total += len(content)
        assert facts["bytes"] == len(content)
        assert facts["sha256"] == hashlib.sha256(content).hexdigest()
    assert manifest["bytes"] == total
    text = json.dumps(settings, sort_keys=True).encode()
    assert manifest["fingerprint"] == hashlib.sha256(text).hexdigest()


def test_tar_shards_follow_webdataset(listed, tmp_path):
    records = [*listed[:2], dataclasses.replace(listed[2], labels=(1, 3))]
    pack(records, tmp_path, container="tar", shards=1, seed=None, name="train")
    with tarfile.open(tmp_path / "train-00000-of-00001.tar") as tar:
        names = tar.getnames()
        assert names == [
            *(f"000000000.{suffix}" for suffix in ("json", "cls", "mp4")),
            *(f"000000001.{suffix}" for suffix in ("json", "cls", "mp4")),
            *("000000002.json", "000000002.mp4"),
        ]
        contents = {name: tar.extractfile(name).read() for name in names}
        assert {(member.mtime, member.uid, member.mode) for member in tar} == {(0, 0, 0o644)}
    assert contents["000000001.cls"] == b"1"
    facts = json.loads(contents["000000002.json"])
    assert facts == {"number": 2, "path": records[2].listed, "line": 3, "labels": [1, 3]}
    for number, record in enumerate(records):
        assert contents[f"{number:09}.mp4"] == read_bytes(record.path)


def test_tfrecord_shards_are_read_by_tensorflow(listed, tmp_path):
    pack(listed, tmp_path, shards=1, seed=None)
    (name,) = tmp_path.glob("*.tfrecord")
    for number, content in enumerate(tf.data.TFRecordDataset(str(name)).as_numpy_iterator()):
        example = tf.train.Example.FromString(content).features.feature
        (file,) = example["data"].bytes_list.value
        assert file == read_bytes(listed[number].path)
        assert example["labels"].int64_list.value == [number % 2]
        assert example["path"].bytes_list.value == [listed[number].listed.encode()]
        entry = unpack(content)
        assert entry.record.line == number + 1 and entry.number == number
    assert number == 7


def test_an_index_locates_the_bytes(packed, listed):
    records = data.read_annotations(packed)
    for record, original in zip(records, listed, strict=True):
        part = ShardPath.of(record.path)
        assert part.name == record.listed == original.listed and record.line == original.line
        assert read_bytes(record.path) == read_bytes(original.path)
        assert record.labels == original.labels and record.file == "list.txt"
        assert decode(encode(record, "record")) == record  # as sent to remote preprocessing


@pytest.mark.parametrize("container", CONTAINERS)
def test_shards_are_reproducible(container, listed, tmp_path):
    options = {"container": container, "shards": 4}
    pack(listed, tmp_path / "one", engine=LocalEngine(1), **options)
    pack(listed, tmp_path / "many", workers=3, **options)
    assert shards_of(tmp_path / "one") == shards_of(tmp_path / "many")
    manifests = [(tmp_path / name / "manifest.json").read_bytes() for name in ("one", "many")]
    assert manifests[0] == manifests[1]
    pack(listed, tmp_path / "seed", seed=1, **options)
    pack(listed, tmp_path / "order", seed=None, **options)
    assert shards_of(tmp_path / "seed") != shards_of(tmp_path / "one")
    order = [record.path for record in data.read_annotations(tmp_path / "order")]
    places = [(ShardPath.of(path).file, ShardPath.of(path).start) for path in order]
    assert places == sorted(places)  # the shards follow the order of the list


@pytest.mark.parametrize("training", [True, False])
def test_batches_equal_those_of_the_files_bit_for_bit(training, packed, listed, tiny_videos):
    options = {
        "sampling": SEGMENTS,
        "transforms": RANDOM if training else (data.Resize(short_side=32), data.ThreeCrop(32)),
    }
    options |= {"training": training, "seed": 3, "batch_size": 3}
    files = data.video_dataset(tiny_videos / "list.txt", tiny_videos, **options)
    for path in (packed, packed / "manifest.json", str(packed)):
        shards = data.video_dataset(path, **options)
        assert shards.element_spec == files.element_spec and len(shards) == len(files) == 3
        assert_equal(shards, files)  # both are now at the next epoch
        files = data.video_dataset(tiny_videos / "list.txt", tiny_videos, **options)
    shards = data.video_dataset(packed, **options, epoch=data.EpochCounter(5))
    assert_equal(shards, data.dataset_from_records(listed, **options, epoch=data.EpochCounter(5)))


def test_readers_in_other_processes(packed, listed):
    options = {"sampling": SEGMENTS, "transforms": RANDOM, "training": True, "batch_size": 4}
    assert_equal(
        data.video_dataset(packed, workers=1, **options),
        data.dataset_from_records(listed, **options),
    )


def source_and_records(kind, folder):
    """A source and two of its records, in a folder with unusual names."""
    facts = [{}, {}]
    paths = [folder / "ä é" / "名.x", folder / "b.b"]
    if kind in ("frames", "jpegs"):
        template = "rgb/{:05}.png" if kind == "frames" else "img_{:05}.jpg"
        source = data.RawFrames(template)
        facts = [{"total_frames": 6, "offset": 2}, {}]
        for path in paths:
            write_frames(path, template=template)
    elif kind in ("flow", "stacked"):
        source = data.FlowFrames("{}_{:05d}.png", stacked=kind == "stacked")
        for path in paths:
            write_flow(path)
    elif kind == "images":
        source = data.Images(4)
        for path in paths:
            write_image(path, moving_gradient(1)[0])
    else:
        source = data.VideoParts() if kind == "parts" else data.VideoParts("_{}.mp4")
        facts = [{"parts": (0, 2)}, {"parts": (2,)}]
        for path in paths:
            path.mkdir(parents=True)
            for part in (0, 2):
                frames = moving_gradient(5 + part, seed=part)
                write_video(f"{path}{'/part' if kind == 'parts' else ''}_{part}.mp4", frames)
    return source, [
        Record(str(path), (n,), "list.txt", n + 1, listed=str(path.relative_to(folder)), **fact)
        for n, (path, fact) in enumerate(zip(paths, facts, strict=True))
    ]


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize(
    "kind", ["frames", "jpegs", "flow", "stacked", "images", "parts", "named parts"]
)
def test_other_sources(kind, container, tmp_path):
    source, records = source_and_records(kind, tmp_path)
    records += records[:1]  # listed twice
    options = {"sampling": data.SampleFrames(2, num_clips=2), "training": True, "batch_size": 1}
    options |= {"source": source, "transforms": ()}
    if kind == "jpegs":  # cropped while decoding
        options["transforms"] = (data.RandomResizedCrop(16),)
    expected = data.dataset_from_records(records, **options)
    pack(records, tmp_path / "out", source, container=container, shards=2)
    packed_records = data.read_annotations(tmp_path / "out")
    assert [record.listed for record in packed_records] == [record.listed for record in records]
    assert [record.total_frames for record in packed_records] == [
        record.total_frames for record in records
    ]
    assert_equal(data.video_dataset(tmp_path / "out", **options), expected)
    assert not check_records(packed_records, source, show_progress=False)
    assert not data.verify_shards(tmp_path / "out", show_progress=False)
    if kind != "images":
        table = json.loads(read_bytes(packed_records[0].path))
        assert len(table) > 1 and "files.jsonl#" in packed_records[0].path


def test_frames_in_tar_shards_have_unique_names(tmp_path):
    source, records = source_and_records("frames", tmp_path)
    pack(records[:1], tmp_path / "out", source, container="tar", shards=1)
    with tarfile.open(tmp_path / "out/examples-00000-of-00001.tar") as tar:
        names = tar.getnames()
        facts = json.load(tar.extractfile("000000000.json"))
    frames = [f"000000000.{number:05}.png" for number in range(6)]
    assert names == ["000000000.json", "000000000.cls", *frames]
    assert facts["files"] == [f"名.x/rgb/{number:05}.png" for number in range(3, 9)]


def test_audio(tmp_path):
    """Audio files, audio tracks, both, and stored features."""
    images, wave = moving_gradient(25), tone(1.0)
    write_audiovisual(tmp_path / "a.mp4", images, [(0, wave)])
    write_audiovisual(tmp_path / "b.mkv", images[:20], [(0.2, wave[:8000])])
    write_wav(tmp_path / "c.wav", (wave * 9000).astype(np.int16)[:, None])
    np.save(tmp_path / "d.npy", np.random.default_rng(0).random((300, 80), np.float32))
    videos = [Record(str(tmp_path / name), (0,), listed=name) for name in ("a.mp4", "b.mkv")]
    audio = [*videos, Record(str(tmp_path / "c.wav"), (1,), listed="c.wav")]
    features = [Record(str(tmp_path / "d"), (2,), "l", 1, 25, listed="d")]
    sampling = data.SampleFrames(8, num_clips=1)
    pack(audio, tmp_path / "audio", data.Waveforms(), container="tar", shards=2)
    pack(videos, tmp_path / "videos", container="tar", shards=1)
    pack(features, tmp_path / "features", data.AudioFeatures(), shards=1)
    both = data.AudioVisual(waveforms=data.Waveforms(4000))
    for folder, source, records in (
        ("audio", data.Waveforms(4000), audio),
        ("videos", data.Waveforms(4000), videos),
        ("videos", both, videos),
        ("features", data.AudioFeatures(40), features),
    ):
        packed_records = data.read_annotations(tmp_path / folder)
        check_source(tmp_path / folder / "manifest.json", source)
        for record, original in zip(packed_records, records, strict=True):
            drawn = [np.random.default_rng(0) for _ in range(2)]
            opened, expected = source.open(record, drawn[0]), source.open(original, drawn[1])
            assert opened.total_frames == expected.total_frames
            frames = sampling(opened.total_frames, training=False, rng=drawn[0])
            for a, b in zip(
                tf.nest.flatten(opened.read(frames)),
                tf.nest.flatten(expected.read(frames)),
                strict=True,
            ):
                np.testing.assert_array_equal(a, b)
                assert np.abs(a.astype(float)).max() > 0
    assert packed_records[0].listed == "d" and packed_records[0].path.endswith("/d.npy")


def test_labels_of_all_kinds(tiny_videos, tmp_path):
    path = str(tiny_videos / "left/video0.mp4")
    records = [
        Record(path, (4, 1), "a.json", 7),
        Record(path, (), "a.json", 8, annotated=(range(2), range(3, 5))),
        Record(path, (2,), "a.json", 9, annotated=()),
    ]
    for container in CONTAINERS:
        pack(records, tmp_path / container, container=container, shards=1)
        packed_records = data.read_annotations(tmp_path / container)
        for record, original in zip(packed_records, records, strict=True):
            assert dataclasses.replace(record, path=original.path) == original
        options = {"sampling": SEGMENTS, "transforms": (), "classes": 6}
        assert_equal(
            data.video_dataset(tmp_path / container, **options),
            data.dataset_from_records(records, **options),
        )
    with pytest.raises(data.AnnotationError, match=r"a\.json:7: received label 4, expected .*3\)"):
        pack(records, tmp_path / "x", class_names=list("abc"))
    with pytest.raises(ValueError, match=r"a\.json:7: received the labels \(4, 1\), expected one"):
        data.read_annotations(
            tmp_path / "tar", annotation_format=PartOfShards(tuple("abcde"), 0.5, "training")
        )


def test_non_utf8_names(tiny_videos, tmp_path):
    name = os.fsdecode(b"caf\xe9\n#1+2.mp4")
    (tmp_path / name).write_bytes((tiny_videos / "left/video0.mp4").read_bytes())
    records = [Record(str(tmp_path / name), (0,), "l", 1, listed=name)]
    for container in CONTAINERS:
        pack(records, tmp_path / "out" / container, container=container)
        (record,) = data.read_annotations(tmp_path / "out" / container)
        assert record.listed == name and read_bytes(record.path) == read_bytes(tmp_path / name)
        assert data.open_video(record.path).total_frames == 12


def test_files_that_cannot_be_read(listed, tmp_path):
    (tmp_path / "empty.mp4").write_bytes(b"")
    missing = [*listed[:2], Record("absent.mp4", (0,), "list.txt", 3)]
    with pytest.raises(FileNotFoundError, match=r"first is absent\.mp4 \(list\.txt:3\)"):
        pack(missing, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    empty = [*listed[:2], Record(str(tmp_path / "empty.mp4"), (0,), "list.txt", 3)]
    message = r"cannot read .*empty\.mp4: the file is empty \(list\.txt:3\)"
    with pytest.raises(data.DecodeError, match=message):
        pack(empty, tmp_path / "out", shards=1, container="tar")
    folder = [Record(str(tmp_path), (0,), "list.txt", 1)]
    with pytest.raises(data.DecodeError, match=r"cannot read .*: Is a directory \(list\.txt:1\)"):
        pack(folder, tmp_path / "folder")
    # Packing resumes in the same folder if they are left out.
    for container in CONTAINERS:
        out = tmp_path / container
        summary = pack([*empty, *missing[2:]], out, shards=2, on_error="skip", container=container)
        assert sorted(summary.failed) == [
            (str(tmp_path / "empty.mp4"), "the file is empty"),
            ("absent.mp4", "No such file or directory"),
        ]
        assert summary.count == 2 and len(data.read_annotations(out)) == 2
        assert json.loads((out / "manifest.json").read_text())["left_out"] == 2
    assert pack(empty, tmp_path / "out", shards=1, container="tar", on_error="skip").count == 2


def test_a_full_disk_is_not_blamed_on_an_example(listed, tmp_path, monkeypatch):
    def full(self, packed, several):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shard_files.TarShard, "add", full)
    with pytest.raises(OSError, match="No space left"):
        pack(listed, tmp_path, container="tar", on_error="skip")
    with pytest.raises(data.AnnotationError, match="received 0 of 1 shards"):
        data.read_annotations(tmp_path)


def test_an_example_too_large_for_a_tfrecord_is_named(listed, tmp_path, monkeypatch):
    monkeypatch.setattr(shard_files, "_LARGEST_EXAMPLE", 10)
    with pytest.raises(
        data.DecodeError, match=r"cannot read left/video0\.mp4: it has .*tar shards"
    ):
        pack(listed, tmp_path, shards=1, seed=None)
    pack(listed, tmp_path / "tar", container="tar")


def test_numpy_numbers(listed, tmp_path):
    record = dataclasses.replace(listed[0], labels=(np.int64(1),), total_frames=np.int32(12))
    for container in CONTAINERS:
        pack([record], tmp_path / container, container=container)
        assert data.read_annotations(tmp_path / container)[0].labels == (1,)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"records": []}, "received no records, expected at least one"),
        ({"container": "zip"}, "container='zip', expected one of tfrecord, tar"),
        ({"name": "a/b"}, "name='a/b', expected the beginning of a file's name"),
        ({"name": ""}, "name=''"),
        ({"on_error": "replace"}, "on_error='replace', expected 'raise' or 'skip'"),
        ({"shards": 9}, "received 8 records and shards=9"),
        ({"shards": 0}, "received 8 records and shards=0"),
        ({"seed": -1}, "seed"),
        ({"source": data.Images(), "resized": data.Resized()}, "expected a Resized and videos"),
    ],
)
def test_wrong_settings(options, message, listed, tmp_path):
    with pytest.raises(ValueError, match=re.escape(message)):
        pack(options.pop("records", listed), tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_packing_resumes_only_with_the_same_list_and_settings(listed, tmp_path):
    options = {"container": "tar", "shards": 4}
    pack(listed, tmp_path, **options)
    for others, message in (
        ({"container": "tfrecord"}, "container='tar', now container='tfrecord'"),
        ({"seed": 5}, "seed=0, now seed=5"),
        ({"class_names": ["l", "r"]}, "class_names=None, now class_names=['l', 'r']"),
        ({"resized": data.Resized(32)}, "resized=None, now resized={'short_side': 32"),
        ({"shards": 2}, "has 4 shards in its plan, received 2"),
    ):
        with pytest.raises(ValueError, match=re.escape(message)):
            pack(listed, tmp_path, **{**options, **others})
    changed = [*listed[:7], dataclasses.replace(listed[7], labels=(0,))]
    with pytest.raises(ValueError, match="the items of the list have changed, examples-0000"):
        pack(changed, tmp_path, **options)
    # The location of the list does not matter.
    moved = [
        dataclasses.replace(record, file=f"/elsewhere/{record.file.split('/')[-1]}")
        for record in listed
    ]
    assert pack(moved, tmp_path, **options).reused == 4


def test_shards_are_not_packed_again(packed, tmp_path):
    with pytest.raises(ValueError, match="is in a shard already, expected the list of the files"):
        pack(data.read_annotations(packed), tmp_path)


def test_an_unfinished_folder_is_not_a_list(listed, tmp_path):
    pack(listed, tmp_path, shards=4, container="tar")
    path = tmp_path / "manifest.json"
    manifest = json.loads(path.read_text())
    del manifest["finished"]["examples-00001-of-00004.tar"]
    path.write_text(json.dumps(manifest))
    with pytest.raises(data.AnnotationError, match="received 3 of 4 shards, expected all: run"):
        data.read_annotations(tmp_path)
    summary = pack(listed, tmp_path, shards=4, container="tar")
    assert (summary.created, summary.reused) == (1, 3) and len(data.read_annotations(tmp_path)) == 8
    manifest["settings"]["format_version"] = 2
    path.write_text(json.dumps(manifest))
    with pytest.raises(data.AnnotationError, match="received shards of version 2, expected 1"):
        data.read_annotations(tmp_path)


def test_damage_is_named(packed, tmp_path, listed):
    folder = shutil.copytree(packed, tmp_path / "copy")
    assert not data.verify_shards(folder, show_progress=False)
    entry = data.read_annotations(folder)[4]
    part = ShardPath.of(entry.path)
    shard = tmp_path / part.file
    good = shard.read_bytes()
    # A changed byte in one example.
    bad = bytearray(good)
    bad[part.start + part.length // 2] ^= 1
    shard.write_bytes(bad)
    (damage,) = data.verify_shards(folder, show_progress=False)
    assert (damage.name, damage.examples) == (shard.name, (entry.listed,))
    assert str(damage) == f"{shard.name} is damaged (other content); damaged: {entry.listed}"
    # A changed byte outside the examples.
    shard.write_bytes(good[:1] + b"?" + good[2:])
    (damage,) = data.verify_shards(folder, show_progress=False)
    assert "the files in it are whole" in str(damage)
    # A truncated shard: no training starts.
    shard.write_bytes(good[: part.start + 5])
    lost = [
        record.listed
        for record in data.read_annotations(packed)
        if ShardPath.of(record.path).file.endswith(shard.name)
        and ShardPath.of(record.path).start >= part.start
    ]
    (damage,) = data.verify_shards(folder, show_progress=False)
    assert set(damage.examples) == set(lost) and entry.listed in damage.examples
    message = rf"{shard.name}: received {part.start + 5} bytes, expected {len(good)}: the shard was"
    with pytest.raises(data.AnnotationError, match=message) as error:
        data.read_annotations(folder)
    assert f"{len(lost)} of its" in str(error.value) and any(
        name in str(error.value) for name in lost
    )
    shard.unlink()
    with pytest.raises(data.AnnotationError, match="expected a shard of . examples; there is none"):
        data.read_annotations(folder)
    (damage,) = data.verify_shards(folder, show_progress=False)
    assert "is missing" in str(damage)
    shard.write_bytes(good)
    index = shard.with_name(shard.name + ".index.jsonl")
    index.write_bytes(index.read_bytes().replace(b"left", b"lift").replace(b"right", b"wrong"))
    with pytest.raises(data.AnnotationError, match="index.jsonl: expected the index of"):
        data.read_annotations(folder)
    (damage,) = data.verify_shards(folder, show_progress=False)
    assert "index.jsonl that is damaged" in str(damage)
    assert pack(
        listed, folder, container=packed.name, shards=3, class_names=["left", "right"]
    ).reused in (2, 3)


def test_a_damaged_example_is_named_with_its_shard_when_it_is_read(listed, tiny_videos, tmp_path):
    bad = Record(str(tiny_videos / "bad.mp4"), (1,), "list.txt", 9, listed="bad.mp4")
    pack([*listed[:2], bad], tmp_path, container="tar", shards=1)
    report = data.DecodeReport()
    options = {"sampling": SEGMENTS, "transforms": ()}
    assert (
        len(batches(data.video_dataset(tmp_path, on_error="skip", report=report, **options))) == 1
    )
    (failure,) = report.failures
    assert "examples-00000-of-00001.tar#" in failure.path and failure.path.endswith("/bad.mp4")
    assert "(list.txt:9)" in failure.reason
    (example,) = check_records(data.read_annotations(tmp_path), show_progress=False)
    assert example.line == 9 and example.path == failure.path


def test_a_source_other_than_the_packed_one_is_rejected(packed, tmp_path):
    with pytest.raises(ValueError, match=r"source=RawFrames.* was packed from Videos"):
        data.video_dataset(packed, source=data.RawFrames(), sampling=SEGMENTS, transforms=())
    source, records = source_and_records("flow", tmp_path)
    pack(records, tmp_path / "flow", source)
    with pytest.raises(ValueError, match=r"source=Videos.* was packed from FlowFrames"):
        data.video_dataset(tmp_path / "flow", sampling=SEGMENTS, transforms=())
    with pytest.raises(ValueError, match="root=there: has no effect, as .* manifest of shards"):
        data.read_annotations(packed, "there")


def test_manifest_validation(packed, tmp_path):
    assert is_manifest(packed / "manifest.json") and list_of(packed) == packed / "manifest.json"
    for text in ("[]", "{}", '{"settings": {}}', "{", '{"settings": 3}', ""):
        (tmp_path / "manifest.json").write_text(text)
        assert not is_manifest(tmp_path / "manifest.json") and list_of(tmp_path) == tmp_path
    records = [Record("a", (0,))]
    assert list_of(records) is records and list_of(None) is None and list_of("") == ""
    # Shards are untrusted input: no other files are read.
    manifest = json.loads((packed / "manifest.json").read_text())
    manifest["plan"] = {"../a.tar": ""}
    manifest["finished"] = {"../a.tar": {"bytes": 1}}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(data.AnnotationError, match=r"expected a manifest, received .*\.\./a\.tar"):
        data.read_annotations(tmp_path)


def test_a_split_equals_that_of_the_class_folders(tiny_videos, tmp_path):
    folder = tmp_path / "classes"
    for name in ("left", "right"):
        (folder / name).mkdir(parents=True)
        for path in (tiny_videos / name).iterdir():
            (folder / name / path.name).write_bytes(path.read_bytes())
    records = data.read_annotations(folder, annotation_format=ClassFolders())
    pack(records, tmp_path / "out", class_names=["left", "right"])
    for subset in ("training", "validation"):
        split = {"validation_split": 0.25, "subset": subset, "split_seed": 4}
        expected = data.read_annotations(folder, annotation_format=ClassFolders(**split))
        kind = PartOfShards(("left", "right"), **split)
        packed_records = data.read_annotations(list_of(tmp_path / "out"), annotation_format=kind)
        assert [record.listed for record in packed_records] == [
            record.listed for record in expected
        ]
        assert [record.labels for record in packed_records] == [
            record.labels for record in expected
        ]


def test_a_row_reads_shards_and_splits_them(tiny_videos, packed):
    row = zoo.row("tsn_r18_1x1x4_moving_shapes")
    options = {"batch_size": 2, "seed": 1}
    for phase in ("train", "test"):
        lists = data.row_dataset(row, tiny_videos / "list.txt", phase, tiny_videos, **options)
        assert_equal(data.row_dataset(row, packed, phase, **options), lists)
    split = {"validation_split": 0.25, "split_seed": 4, **options}
    parts = [batches(data.row_dataset(row, packed, phase, **split)) for phase in ("train", "test")]
    assert [sum(len(labels) for _, labels in part) for part in parts] == [6, 2]
    with pytest.raises(ValueError, match="validation_split=0.25, expected a folder .* or packed"):
        data.row_dataset(row, tiny_videos / "list.txt", "train", tiny_videos, **split)


def test_videos_without_labels(packed, listed):
    unlabeled = data.unlabeled_records(packed)
    assert [record.listed for record in unlabeled] == [record.listed for record in listed]
    assert {record.labels for record in unlabeled} == {(0,)}


def test_smaller_videos(tiny_videos, listed, tmp_path):
    resized = data.Resized(24, 30, 6)
    records = [dataclasses.replace(listed[0], listed="a.avi"), listed[1]]
    for container in CONTAINERS:
        pack(records, tmp_path / container, container=container, resized=resized, shards=1)
        packed_records = data.read_annotations(tmp_path / container)
        for record, packed_record in zip(records, packed_records, strict=True):
            target = tmp_path / "expected.mp4"
            resize_video(record.path, target, 24, quality=30, keyframe_every=6)
            assert read_bytes(packed_record.path) == target.read_bytes()
        assert packed_records[0].listed == "a.avi" and packed_records[0].path.endswith("/a.mp4")
    options = {"sampling": SEGMENTS, "transforms": ()}
    assert len(batches(data.tfrecord_dataset(tmp_path / "tfrecord", **options))) == 1
    bad = [Record(str(tiny_videos / "bad.mp4"), (1,), "list.txt", 9)]
    with pytest.raises(data.DecodeError, match=r"cannot read .*bad\.mp4.*\(list\.txt:9\)"):
        pack(bad, tmp_path / "bad", resized=resized)


@pytest.mark.parametrize("container", CONTAINERS)
def test_memory_does_not_grow_with_the_files(container, tmp_path):
    (tmp_path / "in").mkdir()
    content = np.random.default_rng(0).bytes(20_000)
    for number in range(3000):
        (tmp_path / f"in/{number}.mp4").write_bytes(content)
    records = [
        Record(str(tmp_path / f"in/{number}.mp4"), (0,), "list.txt", number + 1)
        for number in range(3000)
    ]
    pack(records[:10], tmp_path / "first", container=container)  # warms up what is loaded only once
    tracemalloc.start()
    try:
        pack(records, tmp_path / "out", container=container, shards=3, engine=LocalEngine(1))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert json.loads((tmp_path / "out/manifest.json").read_text())["bytes"] > 60_000_000
    assert peak < 8_000_000, peak
