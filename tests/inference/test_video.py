import dataclasses
import subprocess
import sys

import keras
import numpy as np
import pytest

import keras_video
from keras_video import data, zoo
from keras_video.applications import TSN
from keras_video.data.pipelines.processing import Processing
from keras_video.data.rows.presets import clip_sampler, clip_transforms
from keras_video.inference import predict_views
from keras_video.inference.video import views_of
from tests.videos import moving_gradient, write_video

ROW = zoo.row("tsn_r18_1x1x4_moving_shapes")


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shapes") / "videos"
    shapes = data.make_moving_shapes(folder, videos_per_class=1, val_videos_per_class=1, frames=9)
    return data.read_annotations(shapes.val_list, folder)[0].path


@pytest.fixture(scope="module")
def model():
    model = TSN(backbone="resnet18", classes=3, input_shape=(4, 64, 64, 3))
    model.preprocessing = ROW.preprocessing().facts()
    return model


def test_the_protocol_of_the_model_is_followed(model, clip):
    scores = keras_video.predict_video(model, clip)
    assert scores.shape == (3,)
    np.testing.assert_allclose(scores.sum(), 1, rtol=1e-5)
    video = data.open_video(clip)
    frames = video.read(data.row_sampling(ROW, "test")(video.total_frames, training=False).ravel())
    views = data.apply_transforms(data.row_transforms(ROW, "test"), frames)
    assert views.shape == (10, 4, 64, 64, 3)
    expected = predict_views(model, views[None], score_average="score")[0]
    np.testing.assert_allclose(scores, expected, rtol=1e-5)


def test_arguments_take_precedence_over_the_protocol(model, clip):
    transforms = data.row_transforms(ROW, "val")
    sampling = data.SampleFrames(clip_len=1, num_clips=8)
    scores = keras_video.predict_video(
        model, clip, sampling=sampling, transforms=transforms, view_frames=4
    )
    whole = keras_video.predict_video(model, clip)
    assert np.abs(scores - whole).max() > 1e-7


def test_views_in_chunks_give_the_same_scores(model, clip):
    chunked = keras_video.predict_video(model, clip, max_views=3)
    np.testing.assert_allclose(chunked, keras_video.predict_video(model, clip), rtol=1e-5)


def test_the_protocol_is_saved_in_the_file(model, clip, tmp_path):
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    expected = keras_video.predict_video(model, clip)
    np.testing.assert_allclose(keras_video.predict_video(loaded, clip), expected, rtol=1e-5)


def test_a_model_without_a_protocol_is_rejected(clip):
    model = TSN(backbone="resnet18", classes=3, input_shape=(4, 64, 64, 3), name="unfed")
    with pytest.raises(ValueError, match="'unfed' has preprocessing=None"):
        keras_video.predict_video(model, clip)


def test_malformed_settings_are_rejected(model, clip):
    facts = model.preprocessing
    model.preprocessing = {**facts, "sampling": {"num_clips": "many"}}
    try:
        with pytest.raises(ValueError, match="num_clips"):
            keras_video.predict_video(model, clip)
    finally:
        model.preprocessing = facts


def test_a_scaled_protocol_scales_resize_and_crop():
    settings = ROW.preprocessing()
    spatial = settings.spatial.scaled(32)
    assert (spatial.short_side, spatial.crop.size) == (36, 32)
    assert dataclasses.replace(settings, spatial=spatial).facts()["spatial"]["short_side"] == 36


PROTOCOLS = [
    "slowfast_r50_4x16x1_256e_kinetics400_rgb",
    "tsn_r50_1x1x3_100e_kinetics400_rgb",
    "x3d_s_13x6x1_facebook_kinetics400_rgb",
]


@pytest.mark.parametrize("name", PROTOCOLS)
def test_views_equal_those_cropped_from_whole_frames(name, tmp_path):
    settings = zoo.row(name).preprocessing()
    path = write_video(tmp_path / "a.mp4", moving_gradient(40, 290, 370), bf="2", g="9")
    sampling = clip_sampler(dataclasses.replace(settings.sampling, num_clips=2))
    transforms = clip_transforms(settings.spatial, settings.normalize)
    views = views_of(path, Processing.of_transforms(sampling, transforms, settings.view_frames))
    video = data.open_video(path)
    frames = video.read(sampling(video.total_frames, training=False).ravel())
    clips = frames.reshape(-1, settings.view_frames or len(frames), *frames.shape[1:])
    np.testing.assert_array_equal(views, data.apply_transforms(transforms, clips))


def test_loaders_return_the_clips_of_whole_frames(tmp_path):
    path = write_video(tmp_path / "a.mp4", moving_gradient(12, 290, 370), bf="2", g="9")
    transforms = (
        data.Resize(short_side=64),
        data.ThreeCrop(64),
        data.Normalize((1,) * 3, (2,) * 3),
    )
    records = [data.Record(str(path), (0,))]
    sampling = data.SampleFrames(4, num_clips=2)
    options = {"sampling": sampling, "transforms": transforms, "view_frames": 4}
    clips, _ = next(iter(data.dataset_from_records(records, **options)))
    frames = data.open_video(path).read(sampling(12, training=False).ravel())
    views = data.apply_transforms(transforms, frames.reshape(2, 4, *frames.shape[1:]))
    np.testing.assert_array_equal(clips[0], views)


_MEASURED = """
import resource, sys
from keras_video import zoo
from keras_video.data.rows.presets import processing_of
from keras_video.inference.video import views_of
s = zoo.row("slowfast_r50_4x16x1_256e_kinetics400_rgb").preprocessing()
processing = processing_of(s)
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
views_of(sys.argv[1], processing)  # what TensorFlow takes once
before = peak()
views = views_of(sys.argv[2], processing)
print((peak() - before) / views.nbytes)
"""


@pytest.mark.slow(every_change=True)
def test_memory_is_little_more_than_that_of_the_views(tmp_path):
    small = write_video(tmp_path / "small.mp4", moving_gradient(4, 64, 64))
    frames = moving_gradient(4, 1080, 1920) * 15
    large = write_video(tmp_path / "large.mp4", frames, preset="ultrafast", g="40")
    command = [sys.executable, "-c", _MEASURED, str(small), str(large)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert float(result.stdout) < 2


def test_a_file_that_is_not_a_video_is_named(model, tmp_path):
    path = tmp_path / "notes.mp4"
    path.write_text("not a video")
    with pytest.raises(data.DecodeError, match=r"notes\.mp4"):
        keras_video.predict_video(model, path)
