"""Training on hundreds of damaged files, without crashes, hangs or memory growth."""

import gc
import resource
import sys
import wave
from pathlib import Path

import av
import keras
import numpy as np
import pytest

from keras_video.data import (
    CenterCrop,
    DecodeError,
    DecodeReport,
    Normalize,
    Resize,
    SampleFrames,
    dataset_from_records,
    open_video,
)
from keras_video.data.annotations.records import Record
from keras_video.data.prepare.checking import check_video
from tests.videos import moving_gradient, write_video

FORMATS = {"mp4": "libx264", "mkv": "libx264", "avi": "mpeg4", "webm": "libvpx", "ts": "mpeg2video"}
TRANSFORMS = (Resize(short_side=24), CenterCrop(24), Normalize((120.0,) * 3, (60.0,) * 3))
SAMPLING = SampleFrames(1, num_clips=4)


def cut(data, random):
    return data[: random.integers(1, len(data))]


def flip(data, random):
    damaged = bytearray(data)
    for place in random.integers(0, len(data), random.integers(1, 40)):
        damaged[place] ^= int(random.integers(1, 256))
    return bytes(damaged)


def zeros(data, random):
    start = int(random.integers(0, len(data)))
    return data[:start] + bytes(len(data) - start)


def empty(data, random):
    return b""


def noise(data, random):
    return random.bytes(2000)


DAMAGES = (cut, flip, zeros, empty, noise)


def write_audio_file(path):
    """Writes an audio file under a video's name, without any video stream."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(4000))


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Paths of 20 good and 320 damaged files."""
    folder = tmp_path_factory.mktemp("damaged")
    random, good, damaged = np.random.default_rng(0), [], []
    for suffix, codec in FORMATS.items():
        for number in range(4):
            path = folder / f"good{number}.{suffix}"
            good.append(write_video(path, moving_gradient(10, 32, 40, number), codec, g="5"))
    for number in range(300):
        origin = good[number % len(good)]
        path = folder / f"bad{number}{origin.suffix}"
        path.write_bytes(DAMAGES[number % 5](origin.read_bytes(), random))
        damaged.append(path)
    for number in range(10):
        damaged.append(folder / f"audio{number}.mp4")
        write_audio_file(damaged[-1])
        damaged.append(folder / f"text{number}.mp4")
        damaged[-1].write_text("not a video\n" * 30)
    return good, damaged


def readable(path):
    """Whether every frame that a draw could request is readable."""
    try:
        video = open_video(path)
        video.read(range(video.total_frames))
    except DecodeError:
        return False
    return True


def small_model():
    return keras.Sequential(
        [
            keras.Input((4, 24, 24, 3)),
            keras.layers.GlobalAveragePooling3D(),
            keras.layers.Dense(2, activation="softmax"),
        ]
    )


def memory():
    """Bytes currently held by this process."""
    gc.collect()
    if Path("/proc/self/statm").exists():
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (
        1 if sys.platform == "darwin" else 1024
    )


@pytest.mark.slow
@pytest.mark.parametrize("on_error", ["replace", "skip"])
def test_training_survives_damaged_files(on_error, files):
    good, damaged = files
    random = np.random.default_rng(1)
    paths = [*good * 10, *damaged]
    records = [Record(str(paths[n]), (int(n) % 2,)) for n in random.permutation(len(paths))]
    report = DecodeReport()
    dataset = dataset_from_records(
        records,
        sampling=SAMPLING,
        transforms=TRANSFORMS,
        training=True,
        batch_size=8,
        on_error=on_error,
        report=report,
        num_parallel_calls=2,
    )
    model = small_model()
    model.compile("sgd", "sparse_categorical_crossentropy")
    # The first passes fill caches and TensorFlow's memory pools.
    model.fit(dataset, epochs=2, verbose=0)
    before = memory()
    history = model.fit(dataset, epochs=6, verbose=0)
    grown = memory() - before
    assert np.isfinite(history.history["loss"]).all()
    assert grown < 40e6, f"grew by {grown / 1e6:.0f} MB over six passes"
    reported = {Path(failure.path) for failure in report.failures}
    assert not reported & set(good)
    # Damage that spares the drawn frames may go unnoticed, but files that cannot be
    # opened at all are reported in every pass.
    hopeless = {path for path in damaged if not opens(path)}
    assert len(hopeless) > 150 and hopeless <= reported
    never = {path for path in damaged if not readable(path)} - reported
    assert len(never) <= 0.05 * len(damaged), sorted(never)
    if on_error == "skip":
        counts = [len(labels) for _, labels in dataset]
        assert 10 * len(good) <= sum(counts) <= len(paths) - len(hopeless)
    else:
        assert sum(len(labels) for _, labels in dataset) == len(paths)


def opens(path):
    try:
        open_video(path)
    except DecodeError:
        return False
    return True


@pytest.mark.slow
def test_a_check_finds_the_same_files_as_training(files):
    good, damaged = files
    for path in good:
        check_video(path)
    for path in damaged:
        if not readable(path):
            with pytest.raises(DecodeError):
                check_video(path)


def test_wrong_suffix_and_no_frames(tmp_path):
    frames = moving_gradient(6, 32, 40)
    path = write_video(tmp_path / "a.mp4", frames)
    wrong = path.rename(tmp_path / "a.avi")
    assert open_video(wrong).total_frames == 6
    write_audio_file(tmp_path / "audio.mp4")
    with pytest.raises(DecodeError, match="no video stream"):
        open_video(tmp_path / "audio.mp4")
    with av.open(str(tmp_path / "none.mkv"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        container.start_encoding()
    with pytest.raises(DecodeError):
        open_video(tmp_path / "none.mkv")
