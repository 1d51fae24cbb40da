"""Labels and scores of videos from any source."""

import dataclasses
import functools
import http.server
import threading

import keras
import numpy as np
import pytest
from absl import logging

import keras_video
from keras_video import data, zoo
from keras_video.applications.preprocessing import decode_predictions
from keras_video.inference import classification
from tests.videos import moving_gradient, write_video

ROW = zoo.row("tsn_r18_1x1x4_moving_shapes")
NAMES = ["left", "right", "up"]


@pytest.fixture(scope="module")
def model():
    """A fast model whose scores differ between videos."""
    clip = keras.Input((4, 64, 64, 3), name="clip")
    start = keras.initializers.RandomNormal(stddev=0.2, seed=0)
    x = keras.layers.AveragePooling3D((4, 16, 16))(clip)
    logits = keras.layers.Dense(3, kernel_initializer=start)(keras.layers.Flatten()(x))
    scores = keras.layers.Activation("softmax", name="predictions")(logits)
    model = keras_video.VideoModel(clip, scores, name="small")
    model.class_names = NAMES
    model.preprocessing = ROW.preprocessing().facts()
    return model


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    paths = [folder / f"video{number}.mp4" for number in range(3)]
    for number, path in enumerate(paths):
        write_video(path, moving_gradient(9 + 3 * number, 64 + 16 * number, 96))
    return paths


def array_of(path):
    video = data.open_video(path)
    return video.read(np.arange(video.total_frames))


def values(results):
    return [(item.label, item.index, pytest.approx(item.score, abs=1e-5)) for item in results]


def labels(results):
    return [(item.label, item.index, item.score) for item in results]


def test_a_path_gives_the_scores_of_predict_video(model, videos):
    results = keras_video.classify(videos[0], model)
    scores = keras_video.predict_video(model, videos[0])
    assert [item.label for item in results] == [NAMES[index] for index in np.argsort(-scores)]
    assert [item.score for item in results] == pytest.approx(sorted(scores, reverse=True), rel=1e-5)
    assert len(keras_video.classify(str(videos[0]), model, top=2)) == 2


def test_an_array_gives_the_scores_of_its_file(model, videos):
    for path in videos:
        assert labels(keras_video.classify(array_of(path), model)) == values(
            keras_video.classify(path, model)
        )


def test_a_list_gives_results_in_the_same_order(model, videos, capsys):
    each = [keras_video.classify(path, model) for path in videos]
    assert capsys.readouterr().out == ""
    mixed = [videos[0], array_of(videos[1]), str(videos[2])]
    for batch_size in (1, 2, 8):
        results = keras_video.classify(mixed, model, batch_size=batch_size)
        assert [labels(item) for item in results] == [values(item) for item in each]
        assert "3/3" in capsys.readouterr().out
    assert keras_video.classify([], model, verbose=0) == []


def test_other_views(model, videos):
    stated = model.protocol
    crop = dataclasses.replace(stated.spatial.crop, kind="center")
    protocol = dataclasses.replace(stated, spatial=dataclasses.replace(stated.spatial, crop=crop))
    single = keras.models.clone_model(model)
    single.set_weights(model.get_weights())
    single.protocol = protocol
    results = keras_video.classify(videos[0], model, views=(1, 1))
    assert labels(results) == values(keras_video.classify(videos[0], single))
    assert labels(results) != values(keras_video.classify(videos[0], model))
    for views in ((1, 2), (0, 1), 1, (1,)):
        with pytest.raises(ValueError, match=r"1, 3 or 10 crops|expected \(clips, crops\)"):
            keras_video.classify(videos[0], model, views=views)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def test_a_url_is_opened_if_allowed(model, videos):
    handler = functools.partial(Quiet, directory=videos[0].parent)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/video0.mp4"
        with pytest.raises(ValueError, match=rf"{address}.*allow_url=True"):
            keras_video.classify(address, model)
        results = keras_video.classify(address, model, allow_url=True)
        server.shutdown()
    assert labels(results) == values(keras_video.classify(videos[0], model))


@pytest.mark.parametrize(
    ("video", "error", "text"),
    [
        (np.zeros((4, 8, 8, 3), "float32"), ValueError, r"\(4, 8, 8, 3\) and type float32"),
        (np.zeros((4, 8, 8), "uint8"), ValueError, r"shape \(4, 8, 8\)"),
        (np.zeros((0, 8, 8, 3), "uint8"), ValueError, r"\(0, 8, 8, 3\)"),
        (7, TypeError, "received 7 of type int"),
        ([None], TypeError, "received None of type NoneType"),
        ("missing.mp4", data.DecodeError, "missing.mp4"),
    ],
)
def test_inputs_that_are_not_videos_are_rejected(model, video, error, text):
    with pytest.raises(error, match=text):
        keras_video.classify(video, model)


def test_settings_out_of_range_are_rejected(model, videos):
    for setting in ({"top": 0}, {"batch_size": 0}, {"top": 1.5}):
        with pytest.raises(ValueError, match="expected a whole number of at least 1"):
            keras_video.classify(videos[0], model, **setting)


def test_a_model_without_a_protocol_is_rejected(model, videos):
    bare = keras.models.clone_model(model)
    bare.protocol = None
    with pytest.raises(ValueError, match="preprocessing=None"):
        keras_video.classify(videos[0], bare)


def test_the_cost_of_many_views_is_logged_once(model, videos, monkeypatch):
    messages = []
    monkeypatch.setattr(logging, "warning", lambda text, *values: messages.append(text % values))
    monkeypatch.setattr(classification, "_warned", set())
    monkeypatch.setattr(classification, "MANY_FRAMES", 40)
    keras_video.classify(videos[:2], model, verbose=0)
    keras_video.classify(videos[0], model)
    assert (
        len(messages) == 1
        and "10 views of 4 frames of 64x64" in messages[0]
        and "(1, 1)" in messages[0]
    )
    keras_video.classify(videos[0], model, views=(1, 1))
    assert len(messages) == 1


def test_one_output_names_both_classes(videos):
    clip = keras.Input((4, 64, 64, 3), name="clip")
    logit = keras.layers.Dense(1)(keras.layers.GlobalAveragePooling3D()(clip))
    model = keras_video.VideoModel(
        clip, keras.layers.Activation("sigmoid", name="predictions")(logit)
    )
    model.preprocessing = ROW.preprocessing().facts()
    model.class_names = ["still", "moving"]
    results = keras_video.classify(videos[0], model)
    assert {item.label for item in results} == {"still", "moving"}
    assert sum(item.score for item in results) == pytest.approx(1)
    scores = np.array([[0.9]])
    assert decode_predictions(scores, model=model)[0][0] == (1, "moving", pytest.approx(0.9))
