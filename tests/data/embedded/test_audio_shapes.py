import hashlib

import numpy as np
import pytest

from keras_video.data.annotations.parsing import check_files, read_annotations
from keras_video.data.audio.decoding import read_audio
from keras_video.data.decoding.videos import open_video
from keras_video.data.embedded.audio_shapes import embedded_audio_shapes, make_audio_shapes

SMALL = {"videos_per_class": 2, "val_videos_per_class": 1, "frames": 30, "size": 32}


def loudest_hertz(wave):
    return np.abs(np.fft.rfft(wave)).argmax() * 16000 / len(wave)


def digests(folder):
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.rglob("*.mp4"))]


@pytest.fixture(scope="module", params=["audio", "both"])
def dataset(request, tmp_path_factory):
    return make_audio_shapes(tmp_path_factory.mktemp("shapes") / "a", request.param, **SMALL)


def test_the_audio_of_every_video_matches_its_class(dataset):
    for list_file, count in ((dataset.train_list, 2), (dataset.val_list, 1)):
        records = read_annotations(list_file, dataset.root, len(dataset.class_names))
        check_files(records)
        assert [record.labels[0] for record in records] == [
            label for label in range(4) for _ in range(count)
        ]
        for record in records:
            wave = read_audio(record.path)
            assert abs(len(wave) - 19200) < 1500
            start, end = loudest_hertz(wave[1000:5000]), loudest_hertz(wave[-6000:-2000])
            tone = dataset.class_names[record.labels[0]].split("_")[-1]
            assert {
                "low": start < 500 and end < 500,
                "high": start > 900 and end > 900,
                "rising": start < 600 < end,
                "falling": start > 600 > end,
            }[tone]
            assert open_video(record.path).total_frames == 30


def test_neither_audio_nor_video_alone_distinguishes_the_classes_of_both(tmp_path):
    names = make_audio_shapes(tmp_path / "a", "both", **{**SMALL, "frames": 2}).class_names
    shapes, tones = zip(*(name.rsplit("_", 1) for name in names), strict=True)
    assert len(set(shapes)) == len(set(tones)) == 2 and len(set(names)) == 4


def test_same_arguments_give_the_same_files(tmp_path):
    first = make_audio_shapes(tmp_path / "a", **SMALL)
    second = make_audio_shapes(tmp_path / "b", **SMALL)
    other = make_audio_shapes(tmp_path / "c", seed=1, **SMALL)
    assert digests(first.root) == digests(second.root)
    assert len(set(digests(first.root) + digests(other.root))) == 24


@pytest.mark.parametrize("arguments", [{"task": "smell"}, {"size": 47}, {"frames": 0}])
def test_arguments_out_of_range(arguments, tmp_path):
    with pytest.raises(ValueError, match=f"received {next(iter(arguments))}="):
        make_audio_shapes(tmp_path / "shapes", **arguments)


def test_embedded_dataset_is_in_the_keras_home(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    dataset = embedded_audio_shapes("both", **{**SMALL, "frames": 2})
    assert dataset.root == tmp_path / "keras_video" / "audio_shapes_both"
