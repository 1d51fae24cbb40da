"""Error messages: each names the value, file or line, and what was expected."""

import numpy as np
import pytest
import tensorflow as tf

import keras_video
from keras_video import data, zoo
from keras_video.applications import TRN, TSN
from keras_video.applications.preprocessing import decode_predictions
from keras_video.inference import predict_views
from keras_video.training.distribution import replicas
from tests.videos import moving_gradient, write_video

ROW = zoo.row("tsn_r18_1x1x4_moving_shapes")
READ = {
    "sampling": data.SampleFrames(clip_len=1, num_clips=4),
    "transforms": data.row_transforms(ROW, "val"),
}


@pytest.fixture(scope="module")
def model():
    model = TSN(backbone="resnet18", classes=3, input_shape=(4, 64, 64, 3), name="shapes")
    model.preprocessing = ROW.preprocessing().facts()
    return model


@pytest.fixture
def folder(tmp_path):
    write_video(tmp_path / "clip.mp4", moving_gradient(9, 72, 80))
    return tmp_path


def write_list(folder, text):
    path = folder / "list.txt"
    path.write_text(text)
    return path


def test_a_label_beyond_the_number_of_classes(folder):
    path = write_list(folder, "clip.mp4 0\nclip.mp4 3\n")
    with pytest.raises(data.AnnotationError) as caught:
        data.video_dataset(path, folder, classes=3, **READ)
    assert f"{path}:2: received label 3, expected a class index in [0, 3)" in str(caught.value)


def test_weights_with_another_number_of_classes(model, tmp_path):
    model.save(tmp_path / "three.keras")
    with pytest.raises(ValueError) as caught:
        TSN(
            backbone="resnet18",
            classes=5,
            input_shape=(4, 64, 64, 3),
            weights=tmp_path / "three.keras",
        )
    for part in ("three.keras", "(512, 3)", "(512, 5)"):
        assert part in str(caught.value)


def test_class_names_of_another_dataset():
    with pytest.raises(ValueError, match=r"shape \(3,\): expected \(batch, 400\).*kinetics400"):
        decode_predictions(np.ones(3))


@pytest.mark.parametrize("check", [True, False], ids=["before", "while reading"])
def test_a_missing_file_in_a_list(folder, check):
    path = write_list(folder, "clip.mp4 0\nlost.mp4 1\n")
    kind = FileNotFoundError if check else tf.errors.OpError
    with pytest.raises(kind) as caught:
        if check:
            data.check_files(data.read_annotations(path, folder))
        for _ in data.video_dataset(path, folder, batch_size=1, **READ):
            pass
    assert str(folder / "lost.mp4") in str(caught.value)
    assert f"{path}:2" in str(caught.value)


def test_a_list_that_does_not_exist(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"received .*none\.txt, expected a text file"):
        data.read_annotations(tmp_path / "none.txt")


@pytest.mark.parametrize("shape", [(8, 64, 64, 3), (4, 64, 64, 4)], ids=["length", "channels"])
def test_a_clip_of_the_wrong_shape(model, shape):
    with pytest.raises(ValueError) as caught:
        model(np.zeros((1, *shape), "float32"))
    assert "expected shape=(None, 4, 64, 64, 3)" in str(caught.value)
    assert f"found shape=(1, {', '.join(map(str, shape))})" in str(caught.value)


def test_views_with_the_wrong_number_of_channels(model):
    with pytest.raises(ValueError) as caught:
        predict_views(model, np.zeros((1, 1, 4, 64, 64, 4), "float32"))
    assert "takes clips of shape (4, 64, 64, 3), received (4, 64, 64, 4)" in str(caught.value)
    assert "`input_shape`" in str(caught.value)


def test_views_longer_than_a_model_with_a_fixed_number_of_frames():
    model = TRN(depth=50, segments=4, classes=3, input_shape=(4, 32, 32, 3))
    with pytest.raises(ValueError, match=r"shape \(4, 32, 32, 3\), received \(8, 32, 32, 3\)"):
        predict_views(model, np.zeros((1, 1, 8, 32, 32, 3), "float32"))


def test_view_frames_that_do_not_divide_the_sampled_frames(folder):
    path = write_list(folder, "clip.mp4 0\n")
    with pytest.raises(ValueError, match="returns 4 frames, expected a multiple of view_frames=3"):
        data.video_dataset(path, folder, view_frames=3, **READ)


@pytest.mark.parametrize(("codec", "pixels"), [("png", "gray"), ("png", "rgba")])
def test_gray_and_rgba_videos_are_read_as_rgb(model, tmp_path, codec, pixels):
    frames = moving_gradient(6, 72, 80)
    path = write_video(tmp_path / "clip.mov", frames, codec=codec, pixels=pixels)
    read = data.open_video(path).read([0, 5])
    assert read.shape == (2, 72, 80, 3)
    expected = np.stack([frames[0], frames[5]]).astype(int)
    if pixels == "gray":
        assert np.ptp(read, axis=-1).max() <= 1
        expected = (expected @ [0.299, 0.587, 0.114])[..., None]
    assert np.abs(read - expected).mean() < 3
    np.testing.assert_allclose(keras_video.predict_video(model, path).sum(), 1, rtol=1e-5)


@pytest.mark.parametrize("channels", [1, 4])
def test_gray_and_rgba_clips(channels):
    clip = np.zeros((4, 80, 80, channels), np.uint8)
    with pytest.raises(ValueError, match=f"clip of {channels} channels, expected 3 or a multiple"):
        data.apply_transforms(data.row_transforms(ROW, "val"), clip)


def test_fewer_frames_than_a_clip_are_repeated(folder, model):
    sampling = data.SampleFrames(clip_len=4, frame_interval=4)
    indices = sampling(9, training=False)
    np.testing.assert_array_equal(indices, [[0, 4, 8, 3]])
    scores = keras_video.predict_video(
        model, folder / "clip.mp4", sampling=sampling, transforms=READ["transforms"]
    )
    assert scores.shape == (3,)


def test_a_video_too_short_for_its_sampler(folder):
    path = write_list(folder, "clip.mp4 0\n")
    dataset = data.video_dataset(
        path,
        folder,
        sampling=data.UntrimmedSampleFrames(clip_len=1, frame_interval=30),
        transforms=READ["transforms"],
        batch_size=None,
    )
    with pytest.raises(tf.errors.OpError) as caught:
        next(iter(dataset))
    for part in ("clip.mp4", "a video of 9 frames, expected more than 15", f"{path}:1"):
        assert part in str(caught.value)


def test_a_frame_past_the_end(folder):
    with pytest.raises(data.DecodeError, match=r"clip\.mp4: .*requested frame 9; found 9 frames"):
        data.open_video(folder / "clip.mp4").read([0, 9])


@pytest.mark.skipif(bool(tf.config.list_physical_devices("GPU")), reason="there is a GPU")
def test_a_missing_gpu_is_reported(caplog):
    from absl import logging

    logging.get_absl_logger().propagate = True
    with caplog.at_level("WARNING", logger="absl"):
        replicas()
    assert "No GPU" in caplog.text
    assert "keras-video[cuda]" in caplog.text


def test_lists_that_mix_single_and_multiple_labels(folder):
    path = write_list(folder, "clip.mp4 0\nclip.mp4 1\nclip.mp4 0 2\n")
    with pytest.raises(ValueError) as caught:
        data.video_dataset(path, folder, multi_label=False, **READ)
    assert f"{path}:3: received labels (0, 2), expected one label" in str(caught.value)


def test_lists_that_mix_annotation_formats(folder):
    path = write_list(folder, "clip.mp4 0\nclip.mp4 jumping\n")
    with pytest.raises(data.AnnotationError) as caught:
        data.read_annotations(path)
    assert f"{path}:2: received 'clip.mp4 jumping', expected 'path label" in str(caught.value)
    assert "'jumping' is not an integer" in str(caught.value)


def test_a_model_file_or_row_that_does_not_exist(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"lost\.keras'?: there is no such file"):
        TSN(weights=str(tmp_path / "lost.keras"))
    with pytest.raises(ValueError, match="'tsn_r50' is not the name or id of a row. Did you mean"):
        zoo.row("tsn_r50")
