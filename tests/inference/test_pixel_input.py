"""Preprocessing in the graph, compared with the transforms of `keras_video.data`."""

import keras
import numpy as np
import pytest

from keras_video import inference, zoo
from keras_video.data.transforms.basic import Resize
from keras_video.inference.pixel_input import ANY_SIZE, output_size, pixel_input
from keras_video.zoo.clip_settings import Audio, Crop, Normalize, Sampling, Spatial
from tests.applications import families
from tests.inference.test_export import NAMES, all_formats, needs_onnx
from tests.videos import moving_gradient

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="models are exported with TensorFlow"
)
NORMALIZE = Normalize((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
SHORT_SIDE = Spatial(short_side=36, crop=Crop("three", 32))


def fed(spatial=SHORT_SIDE, normalize=NORMALIZE, name="timesformer", **overrides):
    """A small model with these preprocessing settings."""
    model = families.shared(name) if not overrides else families.build(name, **overrides)
    model.protocol = zoo.Protocol(Sampling(num_clips=4), normalize, spatial)
    return model


def pixels(height, width, frames=4, count=2):
    """Frames that are all different."""
    return np.stack(
        [np.stack(moving_gradient(frames, height, width, seed=i)) for i in range(count)]
    )


@pytest.mark.slow(every_change=True)
@all_formats
@pytest.mark.parametrize(
    ("frame_size", "sizes"),
    [
        (None, [(32, 32)]),
        ((48, 64), [(48, 64)]),
        (ANY_SIZE, [(48, 64), (61, 45), (36, 50), (20, 30)]),
    ],
)
def test_a_file_accepts_frames(tmp_path, format, frame_size, sizes):
    model = fed()
    path = inference.export_model(
        model, tmp_path / NAMES[format], format, pixels=True, frame_size=frame_size
    )
    run, prepare = inference.load_exported(path), pixel_input(model, frame_size)
    for size in sizes:
        frames = pixels(*size)
        expected = keras.ops.convert_to_numpy(model(prepare.in_python(frames)))
        np.testing.assert_allclose(run(frames), expected, atol=1e-3 * np.abs(expected).max())
    facts = inference.read_metadata(path)
    shape = [None, 4, *(frame_size or (32, 32)), 3]
    assert facts["inputs"] == {"pixels": {"shape": shape, "dtype": "uint8"}}
    assert facts["outputs"] == ["scores"]
    done = facts["in_graph"]
    assert done["normalize"]["mean"] == list(NORMALIZE.mean)
    assert done["resize"] == (None if frame_size is None else {"short_side": 36})
    assert done["center_crop"] == (None if frame_size is None else [32, 32])
    assert facts["preprocessing"]["spatial"]["short_side"] == 36


@pytest.mark.parametrize(
    ("spatial", "size"),
    [
        (Spatial(resize=(40, 1000), crop=Crop("center", 32)), (60, 100)),
        (Spatial(resize=(1000, 44), crop=Crop("center", 32)), (60, 70)),
        (Spatial(size=(32, 32)), (60, 100)),
        (Spatial(size=(40, 50), crop=Crop("ten", 32)), (30, 20)),
        (Spatial(crop=Crop("center", 32)), (33, 47)),
    ],
)
@pytest.mark.parametrize("known", [True, False])
def test_preprocessing_in_the_graph_equals_the_transforms(spatial, size, known):
    import tensorflow as tf

    prepare = pixel_input(fed(spatial), size if known else ANY_SIZE)
    frames = pixels(*size)
    clips = tf.function(prepare, input_signature=[tf.TensorSpec((None, *prepare.shape), "uint8")])(
        tf.constant(frames)
    )
    expected = prepare.in_python(frames)
    assert expected.shape == (2, 4, 32, 32, 3)
    # Rounding may differ by one level.
    assert np.abs(clips - expected).max() < 1.01 / min(NORMALIZE.std)
    assert (np.abs(clips - expected) > 1e-5).mean() < 1e-3


def test_integer_sizes_equal_those_of_the_transform():
    rng = np.random.default_rng(0)
    for transform in (Resize(short_side=256), Resize(short_side=72), Resize(within=(340, 256))):
        for height, width in rng.integers(32, 2200, (40, 2)).tolist():
            output = output_size(transform, height, width).numpy()
            assert tuple(output) == transform.output_size(height, width)


def test_flow_and_reversed_channels_are_normalized():
    flow = fed(
        normalize=Normalize((128.0, 120.0), (100.0, 50.0)),
        name="tsn", input_shape=(3, 32, 32, 10),
    )  # fmt: skip
    frames = np.random.default_rng(0).integers(256, size=(1, 3, 32, 32, 10)).astype("uint8")
    clips = pixel_input(flow)(frames).numpy()
    np.testing.assert_allclose(clips[..., 5], (frames[..., 5] - 120.0) / 50, atol=1e-5)
    reversed_ = fed(normalize=Normalize((1.0, 2.0, 3.0), (1.0, 2.0, 4.0), to_bgr=True))
    frames = pixels(32, 32)
    clips = pixel_input(reversed_)(frames).numpy()
    np.testing.assert_allclose(clips[..., 0], frames[..., 2] - 1.0, atol=1e-5)


def test_a_model_of_any_size_accepts_any_frames():
    model = fed(name="c2d", input_shape=(4, None, None, 3))
    prepare = pixel_input(model)
    assert prepare.shape == (4, None, None, 3)
    assert prepare(pixels(48, 64)).shape == (2, 4, 32, 32, 3)


def test_a_model_that_normalizes_its_input_receives_unchanged_pixels():
    prepare = pixel_input(fed(normalize=Normalize((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))))
    frames = pixels(32, 32)
    np.testing.assert_array_equal(prepare(frames), frames)


def test_unsupported_combinations_are_rejected(tmp_path):
    model, path = fed(), tmp_path / "model"
    with pytest.raises(ValueError, match=r"frame_size=\(48, 64\): has no effect without pixels"):
        inference.export_model(model, path, frame_size=(48, 64))
    for wrong in ((48,), (None, 64), 64, (0, 5), ("a", "b")):
        with pytest.raises(ValueError, match="expected .height, width. in pixels"):
            inference.export_model(model, path, pixels=True, frame_size=wrong)
    with pytest.raises(ValueError, match=r"smaller than the model's clips, 32x32"):
        pixel_input(fed(Spatial(crop=Crop("center", 32))), (20, 64))
    with pytest.raises(ValueError, match=r"smaller than the model's clips"):
        pixel_input(fed(Spatial(short_side=20, crop=Crop("center", 32))), ANY_SIZE)
    with pytest.raises(ValueError, match="random resizing or flipping"):
        pixel_input(fed(Spatial(short_side_range=(36, 40))), ANY_SIZE)
    audio_model = families.build("audio_resnet")
    audio_model.protocol = zoo.Protocol(Sampling(), audio=Audio())
    with pytest.raises(ValueError, match="expected clips of frames only"):
        inference.export_model(audio_model, path, pixels=True)
    model = families.build("timesformer")
    with pytest.raises(ValueError, match="preprocessing=None"):
        inference.export_model(model, path, pixels=True)
    assert not path.exists()


@needs_onnx
def test_onnx_names_the_unknown_dimensions(tmp_path):
    import onnx

    path = inference.export_model(
        fed(), tmp_path / "model.onnx", "onnx", pixels=True, frame_size=ANY_SIZE
    )
    graph = onnx.load(path).graph
    ((value,), (out,)) = graph.input, graph.output
    axes = [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
    assert (value.name, axes) == ("pixels", ["batch", 4, "height", "width", 3])
    assert out.name == "scores"
    assert [dim.dim_param or dim.dim_value for dim in out.type.tensor_type.shape.dim] == [
        "batch",
        5,
    ]
