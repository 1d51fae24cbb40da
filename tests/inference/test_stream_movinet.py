"""Streams with explicit state: MoViNet and online TSM, in chunks."""

import keras
import numpy as np
import pytest

from keras_video.applications import TSM, X3D, MoViNet
from keras_video.inference.stream import Stream
from tests import modern_reference
from tests.applications import families
from tests.fixtures import rule

FRAMES = 8
CLIPS = np.random.default_rng(0).random((2, FRAMES, 32, 32, 3), "float32")
CUTS = [(1,) * 8, (8,), (3, 5), (7, 1), (1, 2, 4, 1)]


def tsm():
    return TSM(
        backbone="mobilenet_v2",
        input_shape=(FRAMES, 32, 32, 3),
        classes=4,
        online=True,
        classifier_activation=None,
    )


def movinet(variant="a0"):
    return MoViNet(
        variant=variant,
        stream=True,
        input_shape=(FRAMES, 32, 32, 3),
        classes=4,
        classifier_activation=None,
    )


@pytest.fixture(scope="module", params=[movinet, tsm], ids=["movinet", "tsm"])
def streamed(request):
    """A model, its logits of `CLIPS`, and a stream of two videos."""
    keras.utils.set_random_seed(0)
    model = request.param()
    for variable in model.weights:
        if variable.path.endswith("/scale"):
            variable.assign(0.3)
    kernel = model.get_layer("fc_cls").kernel
    kernel.assign(np.random.default_rng(1).normal(size=kernel.shape))
    return model, keras.ops.convert_to_numpy(model(CLIPS)), Stream(model, streams=2)


def close(scores, expected):
    assert np.abs(scores - expected).max() <= 1e-5 * max(1, np.abs(expected).max())


def run(stream, clips, cut):
    first = 0
    for count in cut:
        scores = stream(clips[:, first : first + count])
        first += count
    return scores


@pytest.mark.slow(every_change=True)
@pytest.mark.parametrize("cut", CUTS, ids=str)
def test_equals_the_clip_however_it_is_split(streamed, cut):
    _, expected, stream = streamed
    stream.reset()
    close(run(stream, CLIPS, cut), expected)
    assert stream.frames == FRAMES


@pytest.mark.slow
def test_the_state_can_be_saved_and_restored(streamed, tmp_path):
    model, expected, stream = streamed
    stream.reset()
    run(stream, CLIPS[:, :3], (1, 2))
    np.savez(tmp_path / "state.npz", **stream.state)
    run(stream, CLIPS[:, ::-1], (8,))  # another video in between
    other = Stream(model, streams=2)
    with np.load(tmp_path / "state.npz") as arrays:
        other.state = dict(arrays)
    assert other.frames == 3
    close(run(other, CLIPS[:, 3:], (4, 1)), expected)


@pytest.mark.slow(every_change=True)
def test_a_step_leaves_the_stream_unchanged(streamed):
    _, expected, stream = streamed
    stream.reset()
    state = stream.initial_state()
    before = {name: array.copy() for name, array in state.items()}
    _, after = stream.step(CLIPS[:, :5], state)
    scores, _ = stream.step(CLIPS[:, 5:], after)
    close(scores, expected)
    assert stream.frames == 0
    for name, array in state.items():
        np.testing.assert_array_equal(array, before[name])


@pytest.mark.slow
def test_one_of_several_cameras_continues_alone(streamed):
    model, expected, stream = streamed
    stream.reset()
    stream(CLIPS[:, :4])
    alone = Stream(model)
    alone.state = {name: array[1:] for name, array in stream.state.items()}
    close(run(alone, CLIPS[1:, 4:], (1, 3)), expected[1:])


def test_one_of_several_cameras_restarts(streamed):
    _, expected, stream = streamed
    stream.reset()
    stream(CLIPS[::-1, :2])
    state = stream.state
    for array in state.values():
        array[1] = 0
    stream.state = state
    close(run(stream, CLIPS, (3, 5))[1], expected[1])


def test_a_single_frame_of_a_single_stream(streamed):
    model, expected, _ = streamed
    stream = Stream(model)
    for frame in CLIPS[0]:
        scores = stream(frame)
    assert scores.shape == (4,)
    close(scores, expected[0])


@pytest.mark.slow
def test_a_window(streamed):
    model, expected, _ = streamed
    wide, narrow = (Stream(model, streams=2, window=window) for window in (FRAMES, 2))
    close(run(wide, CLIPS, (3, 5)), expected)
    first = run(narrow, CLIPS, (1,) * 8)
    assert np.abs(first - expected).max() > 1e-4
    narrow.reset()
    close(run(narrow, CLIPS, (5, 3)), first)


def test_invalid_frames_and_states_are_reported(streamed):
    model, _, stream = streamed
    for shape in ((1, 32, 32, 3), (2, 16, 32, 3), (2, 0, 32, 32, 3), (32, 32, 3), (2, 3)):
        with pytest.raises(ValueError, match=r"expected \(streams=2, frames, 32, 32, 3\)"):
            stream(np.zeros(shape))
    state = stream.state
    name = next(iter(state))
    with pytest.raises(ValueError, match=f"without.*{name}"):
        stream.state = {key: array for key, array in state.items() if key != name}
    with pytest.raises(ValueError, match="'other'"):
        stream.state = {**state, "other": 1}
    with pytest.raises(ValueError, match=f"{name}: float64"):
        stream.state = {**state, name: state[name].astype("float64")}
    with pytest.raises(ValueError, match="a dictionary of arrays"):
        stream.state = [1]
    with pytest.raises(ValueError, match="streams=0"):
        Stream(model, streams=0)


@pytest.mark.slow(every_change=True)
def test_equals_the_original_frame_by_frame(tmp_path):
    """Compares the logits of every step and the final state with the Model Garden's network."""
    case = modern_reference.load("movinet_a0_stream")
    clips = case.clips()
    model = MoViNet(
        weights=case.write(tmp_path),
        input_shape=(None, *clips.shape[2:]),
        classifier_activation=None,
        stream=True,
    )
    stream, position = Stream(model, streams=2), 0
    for count in case.facts["chunks"]:
        scores = stream(clips[:, position : position + count])
        position += count
        close(scores, case.arrays[f"logits/after_{position}_frames"])
    state = stream.state
    assert state.keys() == case.facts["states"].keys()
    for name, array in state.items():
        expected = case.arrays[f"state/{name}"]
        shape, dtype = case.facts["states"][name]
        assert array.dtype == dtype
        if name.endswith("frame_count"):  # one per stream here
            assert array.tolist() == [*expected] * 2
            continue
        assert list(array.shape) == shape
        positions = rule.sample_positions(array.size, min(array.size, 64))
        sample = array.reshape(-1)[positions]
        assert np.abs(sample - expected).max() <= 1e-5 * np.abs(expected).max(), name


@pytest.mark.slow
def test_frames_are_numbered_over_the_whole_video():
    model = movinet("a3")
    families.randomize(model)
    for variable in model.weights:
        if variable.path.endswith("/scale"):
            variable.assign(0.3)
    expected = keras.ops.convert_to_numpy(model(CLIPS))
    stream = Stream(model, streams=2)
    close(run(stream, CLIPS, (3, 1, 4)), expected)
    positions = {name for name in stream.state if "pos_enc" in name}
    assert len(positions) == 33


@pytest.mark.slow
def test_features_can_be_streamed():
    model = MoViNet(include_top=False, pooling="avg", stream=True, input_shape=(8, 32, 32, 3))
    expected = keras.ops.convert_to_numpy(model(CLIPS))
    close(run(Stream(model, streams=2), CLIPS, (3, 5)), expected)


@pytest.mark.slow(every_change=True)
@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: MoViNet(input_shape=(8, 32, 32, 3)), r"does not classify.*needs all frames"),
        (lambda: X3D(input_shape=(4, 32, 32, 3)), r"does not classify.*needs all frames"),
        (lambda: MoViNet(include_top=False, stream=True), "does not classify"),
        (lambda: MoViNet(stream=True, input_shape=(8, None, None, 3)), "frames of any size"),
    ],
    ids=["base", "X3D", "features of frames", "open size"],
)
def test_rejects(build, message):
    with pytest.raises(ValueError, match=message):
        Stream(build())
