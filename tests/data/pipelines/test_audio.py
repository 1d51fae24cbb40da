import numpy as np
import pytest
import tensorflow as tf

from keras_video import zoo
from keras_video.data import (
    AddChannel,
    AnnotationError,
    AudioFeatures,
    DecodeError,
    DecodeReport,
    EpochCounter,
    LogMelFeatures,
    SampleFrames,
    Waveforms,
    audio_dataset,
    row_audio_source,
    row_dataset,
)
from keras_video.data.annotations.formats import frame_lines
from keras_video.data.embedded.audio_shapes import make_audio_shapes
from tests.data.audio.test_decoding import tone, write_audio

TRANSFORMS = (LogMelFeatures(mels=20, length=16),)
SOURCE = Waveforms(length=4000)


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shapes") / "videos"
    return make_audio_shapes(folder, videos_per_class=2, val_videos_per_class=1, size=32)


@pytest.fixture
def folder(tmp_path):
    """A list of WAV, MP3 and FLAC files, and a damaged file."""
    for number, suffix in enumerate(("wav", "mp3", "flac")):
        write_audio(tmp_path / f"a b.{suffix}", [tone(2.0, hertz=300 * (number + 1))])
    (tmp_path / "bad.wav").write_bytes(b"RIFF")
    (tmp_path / "list.txt").write_text("a b.wav 0\na b.mp3 1\na b.flac 2\n")
    (tmp_path / "damaged.txt").write_text("a b.wav 0\nbad.wav 1\na b.flac 2\n")
    return tmp_path


def dataset(list_file, root, **options):
    common = {
        "sampling": SampleFrames(6),
        "source": SOURCE,
        "transforms": TRANSFORMS,
        "batch_size": 4,
    }
    return audio_dataset(list_file, root, **{**common, **options})


def collect(batches):
    return [tuple(value.numpy() for value in batch) for batch in batches]


def test_files_of_any_kind(folder):
    x, labels = next(iter(dataset(folder / "list.txt", folder, classes=3)))
    assert x.shape == (3, 16, 20, 1) and x.dtype == tf.float32
    assert labels.numpy().tolist() == [0, 1, 2] and labels.dtype == tf.int32
    # The pitch rises from file to file, and so does the loudest band.
    loudest = x.numpy()[:, 5, :, 0].argmax(axis=-1)
    assert (np.diff(loudest) > 0).all()


def test_views_in_evaluation_and_single_clips_in_training(shapes):
    options = {"sampling": SampleFrames(10, num_clips=3)}
    ((x, labels),) = collect(dataset(shapes.val_list, shapes.root, **options))
    assert x.shape == (4, 3, 16, 20, 1)
    assert labels.tolist() == [0, 1, 2, 3]
    # The pitch of the last class falls: the loudest band decreases from view to view.
    assert (np.diff(x[3, :, 8, :, 0].argmax(axis=-1)) < 0).all()
    x, _ = next(iter(dataset(shapes.train_list, shapes.root, training=True)))
    assert x.shape == (4, 16, 20, 1)
    with pytest.raises(ValueError, match="the sampling returns 3 clips, expected num_clips=1"):
        dataset(shapes.train_list, shapes.root, training=True, **options)


def test_draws_depend_on_seed_epoch_and_index(shapes):
    def passes(parallel, epoch=0, seed=0):
        clips = dataset(
            shapes.train_list,
            shapes.root,
            training=True,
            epoch=EpochCounter(epoch),
            seed=seed,
            num_parallel_calls=parallel,
        )
        return [collect(clips), collect(clips)]

    first, second = passes(1)
    again, _ = passes(4)
    resumed, _ = passes(2, epoch=1)
    other, _ = passes(1, seed=1)
    for expected, results in ((first, again), (second, resumed)):
        for left, right in zip(expected, results, strict=True):
            np.testing.assert_array_equal(left[0], right[0])
            np.testing.assert_array_equal(left[1], right[1])
    for different in (second, other):
        assert not np.array_equal(first[0][0], different[0][0])


def test_stored_features_and_lists_with_frames(tmp_path):
    features = np.random.default_rng(0).uniform(size=(2, 100, 20)).astype("float32")
    for number, rows in enumerate(features):
        np.save(tmp_path / f"{number}.npy", rows)
    (tmp_path / "list.txt").write_text("0 50 1\n1.npy 50 0\n")
    source = AudioFeatures(length=12, mels=20)
    batches = dataset(tmp_path / "list.txt", tmp_path, source=source, transforms=[AddChannel()])
    ((x, labels),) = collect(batches)
    assert labels.tolist() == [1, 0]
    # Six frames of 50 in the middle: from frame 22, which ends at row 46.
    np.testing.assert_array_equal(x[:, :10, :, 0], features[:, 46:56])
    assert not x[:, 10:].any()


def test_audio_in_lists_with_frames(folder):
    (folder / "frames.txt").write_text("a b.wav 100 2\na b.wav 50 1\n")
    ((x, labels),) = collect(
        dataset(folder / "frames.txt", folder, annotation_format=frame_lines, classes=3)
    )
    assert labels.tolist() == [2, 1]
    with pytest.raises(AnnotationError, match=r"frames.txt:1: received label 100"):
        dataset(folder / "frames.txt", folder, classes=3)


def test_several_labels(folder):
    (folder / "several.txt").write_text("a b.wav 0 2\na b.mp3 1\n")
    ((_, labels),) = collect(dataset(folder / "several.txt", folder, classes=3))
    assert labels.tolist() == [[1, 0, 1], [0, 1, 0]]


def test_undecodable_files_are_reported_skipped_or_replaced(folder):
    damaged = folder / "damaged.txt"
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"bad\.wav"):
        collect(dataset(damaged, folder))
    report = DecodeReport()
    ((_, labels),) = collect(dataset(damaged, folder, on_error="skip", report=report))
    assert labels.tolist() == [0, 2]
    ((x, labels),) = collect(dataset(damaged, folder, on_error="replace", report=report))
    assert len(x) == 3 and labels[1] in (0, 2)
    assert {failure.path for failure in report.failures} == {str(folder / "bad.wav")}
    with pytest.raises(ValueError, match="received on_error='pray'"):
        dataset(damaged, folder, on_error="pray")


def test_transforms_must_end_in_spectrograms(folder):
    with pytest.raises(ValueError, match=r"spectrograms of shape \(1, 4000\)"):
        dataset(folder / "list.txt", folder, transforms=())


@pytest.mark.parametrize("row", zoo.rows(family="audio"), ids=lambda row: row.name)
def test_a_row_produces_the_input_of_its_model(row, shapes, tmp_path):
    if row.constructor is None:
        pytest.skip("a fusion of other rows")
    np.save(tmp_path / "a.npy", np.ones((300, row.audio.mels)))
    (tmp_path / "features.txt").write_text("a.npy 100 0\n")
    lists = [(shapes.val_list, shapes.root), (tmp_path / "features.txt", tmp_path)]
    for list_file, root in lists:
        x, _ = next(iter(row_dataset(row, list_file, "test", root)))
        views = (row.views.clips,) if row.views.clips > 1 else ()
        assert x.shape[1:] == (*views, *row.input_shape)
        x, _ = next(iter(row_dataset(row, list_file, "train", root, batch_size=1)))
        assert x.shape[1:] == row.input_shape
        assert np.isfinite(x).all() and x.numpy().any()


def test_an_empty_list_is_rejected(tmp_path):
    row = zoo.row("tsn_r18_64x1x1_100e_kinetics400_audio_feature")
    (tmp_path / "list.txt").write_text("")
    with pytest.raises(AnnotationError, match="without records"):
        row_dataset(row, tmp_path / "list.txt", "test", tmp_path)


def test_a_missing_feature_file_is_an_error_or_silence(tmp_path):
    row = zoo.row("tsn_r18_64x1x1_100e_kinetics400_audio_feature")
    (tmp_path / "list.txt").write_text("gone.npy 100 0\n")
    with pytest.raises((DecodeError, tf.errors.InvalidArgumentError), match=r"gone\.npy"):
        collect(row_dataset(row, tmp_path / "list.txt", "test", tmp_path))
    source = row_audio_source(row, features=True, silence=True)
    silent = row_dataset(row, tmp_path / "list.txt", "test", tmp_path, source=source)
    ((x, _),) = collect(silent)
    assert not x.any()
