import keras
import numpy as np
import pytest

from keras_video.applications import AVSlowFast, SlowFast
from tests.applications.families import randomize

VIDEO, AUDIO = (16, 32, 32, 3), (32, 16, 1)
SMALL = {"input_shape": VIDEO, "audio_shape": AUDIO, "classes": 5}


@pytest.fixture(scope="module")
def model():
    model = AVSlowFast(**SMALL, classifier_activation=None)
    randomize(model)
    return model


@pytest.fixture(scope="module")
def inputs():
    rng = np.random.default_rng(0)
    return {
        "video": rng.normal(size=(2, *VIDEO)).astype("float32"),
        "audio": rng.uniform(size=(2, *AUDIO)).astype("float32"),
    }


def outputs(model, inputs, **options):
    return keras.ops.convert_to_numpy(model(inputs, **options))


@pytest.mark.slow(every_change=True)
def test_audio_and_video_both_affect_the_scores(model, inputs):
    logits = outputs(model, inputs)
    assert logits.shape == (2, 5)
    for key in inputs:
        other = outputs(model, {**inputs, key: inputs[key][::-1]})
        assert np.abs(other - logits).max() > 1e-2


@pytest.mark.slow(every_change=True)
def test_audio_reaches_the_slow_pathway_only_at_the_fusion_points(inputs):
    """With the last norm of every audio lateral at zero, the video features equal SlowFast's."""
    model = AVSlowFast(**SMALL, include_top=False)
    randomize(model)
    alone = SlowFast(input_shape=VIDEO, include_top=False, lateral_norm=True)
    values = {variable.path: variable for variable in model.weights}
    for variable in alone.weights:
        variable.assign(values[variable.path])
    expected = [keras.ops.convert_to_numpy(x) for x in alone(inputs["video"])]
    slow, fast, audio = (keras.ops.convert_to_numpy(x) for x in model(inputs))
    assert audio.shape == (2, 4, 2, 1024)
    np.testing.assert_allclose(fast, expected[1], rtol=1e-4, atol=1e-5)
    assert np.abs(slow - expected[0]).max() > 1e-2
    for path, variable in values.items():
        if "audio_path" in path and "lateral_1_bn/gamma" in path or "lateral_1_bn/beta" in path:
            variable.assign(np.zeros(variable.shape))
    silent = keras.ops.convert_to_numpy(model(inputs)[0])
    np.testing.assert_allclose(silent, expected[0], rtol=1e-4, atol=1e-4 * np.abs(silent).max())


@pytest.mark.slow
def test_a_dropped_audio_pathway_reaches_only_the_head(inputs):
    """Some training steps skip the audio features at all fusion points."""
    dropped = AVSlowFast(**SMALL, include_top=False, drop_pathway=0.5)
    assert dropped.get_layer("drop_pathway").rate == 0.5
    for layer in dropped.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False
    steps = [keras.ops.convert_to_numpy(dropped(inputs, training=True)[0]) for _ in range(12)]
    different = {np.round(step, 4).tobytes() for step in steps}
    assert len(different) == 2


def test_audio_reaches_the_frames_of_its_time(inputs):
    """Audio of the second half changes the added features of the second half, not the first."""
    model = AVSlowFast(**SMALL, include_top=False, audio_fusion_points=("conv1",))
    randomize(model)
    lateral = keras.Model(model.input, model.get_layer("audio_path_conv1_lateral_frames").output)
    late = inputs["audio"].copy()
    late[:, 24:] += 1
    before, after = (
        outputs(lateral, {**inputs, "audio": audio}) for audio in (inputs["audio"], late)
    )
    assert before.shape == (2, 2, 1, 1, 64 + 16)
    change = np.abs(after - before).mean(axis=(0, 2, 3, 4))
    assert change[1] > 1e-3 and change[0] < 1e-6


@pytest.mark.slow
def test_is_restored_from_a_file(model, inputs, tmp_path):
    model.class_names = list("abcde")
    model.save(tmp_path / "model.keras")
    again = AVSlowFast(**SMALL, classifier_activation=None, weights=str(tmp_path / "model.keras"))
    assert again.class_names == list("abcde")
    np.testing.assert_allclose(outputs(again, inputs), outputs(model, inputs), rtol=1e-5)


def test_builds_on_given_tensors(inputs):
    video, audio = keras.Input(VIDEO), keras.Input(AUDIO)
    model = AVSlowFast(
        **SMALL, include_top=False, pooling="max", input_tensor={"video": video, "audio": audio}
    )
    assert model.output_shape == (None, 2048 + 256 + 1024)
    assert outputs(model, inputs).shape == (2, 3328)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"audio_depth": 18}, r"audio_depth=18: expected one of \(50, 101, 152\)"),
        ({"audio_fusion_points": ("layer4",)}, r"audio_fusion_points=\('layer4',\)"),
        ({"audio_shape": (20, 16, 1)}, "5 time steps at layer3, expected a multiple .* 2 frames"),
        ({"audio_shape": (None, 16, 1)}, "must be known"),
        ({"input_shape": (20, 32, 32, 3)}, "20 frames: expected a multiple of tau=8"),
        ({"drop_pathway": 1}, "rate=1"),
    ],
)
def test_rejects(arguments, message):
    with pytest.raises(ValueError, match=message):
        AVSlowFast(**{**SMALL, **arguments})
