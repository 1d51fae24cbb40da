import keras
import numpy as np
import pytest

from keras_video.applications.tanet import TANet
from keras_video.applications.tsm import TSM
from keras_video.applications.tsn import TSN
from keras_video.inference.stream import Stream

FRAMES = 5
CLIPS = np.random.default_rng(0).normal(size=(2, FRAMES, 32, 32, 3)).astype("float32")


def online(frames=FRAMES, **arguments):
    keras.utils.set_random_seed(0)
    options = {"backbone": "mobilenet_v2", "classes": 3, "online": True, **arguments}
    model = TSM(input_shape=(frames, 32, 32, 3), **options)
    rng = np.random.default_rng(1)
    if model.layers[-1].name == "predictions":
        model.get_layer("fc_cls").kernel.assign(rng.normal(size=(1280, 3)).astype("float32"))
    return model


@pytest.fixture(scope="module")
def model():
    return online()


@pytest.fixture(scope="module")
def compiled(model):
    return Stream(model)


@pytest.fixture
def stream(compiled):
    compiled.reset()
    return compiled


def scores_of(model, clips):
    return keras.ops.convert_to_numpy(model(clips))


def test_after_every_frame_the_scores_are_those_of_the_clip(model, stream):
    for count in range(1, FRAMES + 1):
        scores = stream(CLIPS[0, count - 1])
        if count in (3, FRAMES):
            shorter = online(frames=count)
            shorter.set_weights(model.get_weights())
            expected = scores_of(shorter, CLIPS[:1, :count])[0]
            np.testing.assert_allclose(scores, expected, rtol=1e-4, atol=1e-5)
    assert stream.frames == FRAMES


def test_a_reset_starts_a_new_video(model, stream):
    expected = scores_of(model, CLIPS)
    for number, clip in enumerate(CLIPS):
        stream.reset()
        for frame in clip:
            scores = stream(frame)
        np.testing.assert_allclose(scores, expected[number], rtol=1e-4, atol=1e-5)


def test_several_concurrent_streams(model):
    stream = Stream(model, streams=2)
    for number in range(FRAMES):
        scores = stream(CLIPS[:, number])
    np.testing.assert_allclose(scores, scores_of(model, CLIPS), rtol=1e-4, atol=1e-5)


def test_a_window_forgets_old_frames(model, stream):
    latest = Stream(model, window=1)
    for frame in CLIPS[0]:
        total, last = stream(frame), latest(frame)
    assert np.abs(total - last).max() > 1e-4
    np.testing.assert_allclose(last.sum(), 1, rtol=1e-5)


def test_the_model_is_unchanged(model, stream):
    stream(CLIPS[0, 0])
    assert model.get_layer("fc_cls").output.shape == (None, 3)
    assert model.get_layer("layer2_1_conv_0_shift").frames == FRAMES


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: online(online=False), "next frame"),
        (lambda: online(include_top=False), "does not classify"),
        (lambda: TSN(backbone="mobilenet_v2", input_shape=(4, 32, 32, 3)), "does not classify"),
        (lambda: TANet(input_shape=(4, 32, 32, 3)), "TemporalAdaptiveModule"),
    ],
    ids=["both ways", "features", "TSN", "TANet"],
)
def test_rejects_models_that_need_all_frames(build, message):
    with pytest.raises(ValueError, match=message):
        Stream(build())


def test_rejects_other_frames(model, stream):
    with pytest.raises(ValueError, match="expected"):
        stream(CLIPS[0, 0, :16])
    with pytest.raises(ValueError, match="window=0"):
        Stream(model, window=0)
