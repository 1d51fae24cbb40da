import itertools
import time
import urllib.request

import keras
import numpy as np
import pytest

from keras_video import data, zoo
from keras_video.applications import TSM, TSN
from keras_video.data import LiveFrame
from keras_video.inference import LiveModel, Stream, live_scores
from keras_video.inference.live import ClipScorer
from tests.videos import moving_gradient

ROW = zoo.row("tsn_r18_1x1x4_moving_shapes")
IMAGES = moving_gradient(6, 64, 80)


def ready(model):
    keras.utils.set_random_seed(0)
    layer = model.get_layer("fc_cls")
    layer.kernel.assign(np.random.default_rng(0).normal(scale=0.1, size=layer.kernel.shape))
    model.preprocessing = ROW.preprocessing().facts()
    return model


def frames(images=IMAGES):
    for image in images:
        yield LiveFrame(image, time.monotonic())


def clip_of(images):
    return np.asarray(data.apply_transforms(data.row_transforms(ROW, "val"), np.stack(images)))


def test_an_online_model_follows_the_frames():
    model = ready(TSM(backbone="mobilenet_v2", classes=3, input_shape=(6, 64, 64, 3), online=True))
    results = list(live_scores(LiveModel(model), frames()))
    assert len(results) == 6
    expected = keras.ops.convert_to_numpy(model(clip_of(IMAGES)[None]))[0]
    np.testing.assert_allclose(results[-1].scores, expected, rtol=1e-4, atol=1e-5)
    assert results[0].rate == 0
    assert 0 < results[-1].latency < 5
    assert results[-1].rate > 0
    stream = Stream(model, window=1)
    for frame in clip_of(IMAGES):
        scores = stream(frame)
    latest = list(live_scores(LiveModel(model, window=1), frames()))[-1].scores
    np.testing.assert_allclose(latest, scores, rtol=1e-4, atol=1e-5)


def test_a_clip_model_receives_the_latest_frames():
    model = ready(TSN(backbone="resnet18", classes=3, input_shape=(4, 64, 64, 3)))
    results = list(live_scores(LiveModel(model), frames()))
    for number, images in (
        (0, [IMAGES[0]] * 4),
        (1, [IMAGES[0]] * 3 + IMAGES[1:2]),
        (5, IMAGES[2:]),
    ):
        expected = keras.ops.convert_to_numpy(model(clip_of(images)[None]))[0]
        np.testing.assert_allclose(results[number].scores, expected, rtol=1e-4, atol=1e-5)


def test_a_lower_rate_skips_frames():
    levels = []

    def model(image):
        levels.append(int(image[0, 0, 0]))
        return np.zeros(2)

    camera = [
        LiveFrame(np.full((2, 2, 3), number, np.uint8), 100 + number / 30) for number in range(60)
    ]
    list(live_scores(model, camera, rate=10))
    assert 19 <= len(levels) <= 21
    assert max(b - a for a, b in itertools.pairwise(levels)) <= 4
    with pytest.raises(ValueError, match="rate=0"):
        next(live_scores(model, camera, rate=0))


def test_an_unknown_number_of_frames_is_rejected():
    with pytest.raises(ValueError, match="any number of frames"):
        ClipScorer(TSN(backbone="resnet18", classes=3, input_shape=(None, 64, 64, 3)))


def test_a_browser_gets_every_new_frame():
    browser = pytest.importorskip("keras_video.inference.browser")
    pytest.importorskip("PIL")
    with browser.BrowserWindow(port=0) as window:
        page = urllib.request.urlopen(window.address, timeout=10).read()
        assert b'src="/stream"' in page
        window.show(IMAGES[0])
        with urllib.request.urlopen(window.address + "stream", timeout=10) as stream:
            first = read_picture(stream)
            window.show(IMAGES[0][:, ::-1])
            second = read_picture(stream)
        for picture, image in ((first, IMAGES[0]), (second, IMAGES[0][:, ::-1])):
            assert np.abs(picture.astype(int) - image).mean() < 12
        port = int(window.address.rstrip("/").rpartition(":")[2])
        with pytest.raises(OSError, match=f"port={port}.*expected a free port"):
            browser.BrowserWindow(port)


def read_picture(stream):
    """The next JPEG of a multipart response."""
    import io

    from PIL import Image

    lines = list(iter(stream.readline, b"\r\n"))
    length = next(int(line.split(b":")[1]) for line in lines if line.startswith(b"Content-Length"))
    picture = Image.open(io.BytesIO(stream.read(length)))
    stream.readline()
    return np.asarray(picture)
