"""Long synthetic videos that are generated on demand."""

import hashlib

import numpy as np
import pytest

from keras_video import data

SMALL = {"train_videos": 2, "test_videos": 1, "actions": 3, "size": 64}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return data.make_long_videos(tmp_path_factory.mktemp("long") / "a", **SMALL)


def digests(folder):
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.rglob("*.mp4"))]


def test_spans_state_when_a_colored_shape_is_visible(dataset):
    for file, count in ((dataset.train_list, 2), (dataset.test_list, 1)):
        records = data.read_spans(file, dataset.root, classes=dataset.class_names)
        assert len(records) == count
        for record in records:
            video = data.open_video(record.video)
            assert video.end_time == pytest.approx(record.duration, abs=0.01)
            assert len(record.spans) == 3 and len(record.gaps()) == 4
            frames = video.read(np.arange(video.total_frames)[None]).astype(int)
            colored = (np.ptp(frames, axis=-1) > 75).mean(axis=(1, 2)) > 0.02
            inside = np.zeros(len(frames), bool)
            for span in record.spans:
                assert 2 <= span.length <= 6
                inside[round(span.start * 25) : round(span.end * 25)] = True
            # Actions are briefly interrupted, and others briefly appear in gaps.
            assert 0 < (colored != inside).mean() < 0.2
            assert colored[inside].mean() > 0.7 and colored[~inside].mean() < 0.2
            for span in record.spans:
                first = round(span.start * 25)
                assert colored[first : first + 10].all() and not colored[first - 6 : first].any()


def test_the_color_identifies_the_class(dataset):
    (record,) = data.read_spans(dataset.test_list, dataset.root)
    channel = {"red": 0, "blue": 2, "green": 1}
    video = data.open_video(record.video)
    for span in record.spans:
        frame = video.read([[int((span.start + 0.2) * 25)]])[0].astype(int)
        vivid = frame[np.ptp(frame, axis=-1) > 75]
        name = span.label.split("_")[0]
        if name in channel:
            assert vivid.mean(axis=0).argmax() == channel[name]
        else:
            assert vivid.mean(axis=0).argmin() == 2


def test_same_arguments_give_the_same_files(dataset, tmp_path):
    again = data.make_long_videos(tmp_path / "b", **SMALL)
    other = data.make_long_videos(tmp_path / "c", **SMALL, seed=1)
    assert digests(dataset.root) == digests(again.root)
    assert not set(digests(dataset.root)) & set(digests(other.root))
    assert again.train_list.read_text() == dataset.train_list.read_text()


def test_arguments_out_of_range_are_rejected(tmp_path):
    for name, value in {"actions": 0, "size": 33, "seed": -1, "test_videos": 0}.items():
        with pytest.raises(ValueError, match=f"received {name}={value}"):
            data.make_long_videos(tmp_path / "d", **{**SMALL, name: value})
