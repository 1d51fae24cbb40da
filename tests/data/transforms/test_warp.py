import functools

import numpy as np
import pytest
import tensorflow as tf

from keras_video.data.transforms import levels, warp
from keras_video.data.transforms.warp import Rotate
from tests.augmentations import arrays, in_graph, records, smooth_clip

pytestmark = pytest.mark.unit

SHAPES = {
    "rotate": warp.rotate,
    "shear_x": functools.partial(warp.shear_x, pivot=0.0),
    "shear_y": functools.partial(warp.shear_y, pivot=0.0),
    "translate_x": warp.translate_x,
    "translate_y": warp.translate_y,
}
LEVELS = {
    "posterize": levels.posterize,
    "solarize": levels.solarize,
    "invert": levels.invert,
    "autocontrast": levels.autocontrast,
    "equalize": levels.equalize,
}


def named(names):
    return [record for record in records("operation") if record["name"] in names]


@pytest.mark.parametrize("record", named(SHAPES), ids=lambda r: f"{r['name']} {r['argument']}")
def test_shapes_equal_torchvision(record):
    stored = arrays()
    function = SHAPES[record["name"]]
    result = function(tf.constant(stored["clip"]), record["argument"]).numpy().astype(int)
    difference = np.abs(result - stored[record["id"]])
    # torchvision darkens pixels twice that are part frame, part black.
    shown = function(tf.fill(result.shape, tf.constant(255, tf.uint8)), record["argument"]).numpy()
    assert difference[shown == 255].max() <= 1
    assert difference[shown == 0].max() == 0
    assert np.mean(shown == 255) > 0.5


@pytest.mark.parametrize("record", named(LEVELS), ids=lambda r: f"{r['name']} {r['argument']}")
def test_levels_equal_torchvision(record):
    stored = arrays()
    arguments = [] if record["argument"] is None else [record["argument"]]
    function = LEVELS[record["name"]]
    clip = tf.constant(stored["clip"])
    result = function(clip, *arguments).numpy()
    # Autocontrast multiplies in another order, so values may round differently.
    atol = 1 if record["name"] == "autocontrast" else 0
    np.testing.assert_allclose(result.astype(int), stored[record["id"]], atol=atol)
    dynamic = in_graph(lambda clip, seed: function(clip, *arguments))(clip, (0, 0))
    np.testing.assert_array_equal(dynamic, result)


@pytest.mark.parametrize("function", [levels.autocontrast, levels.equalize])
def test_frames_of_one_color_stay(function):
    clip = tf.fill([2, 5, 6, 3], tf.constant(77, tf.uint8))
    np.testing.assert_array_equal(function(clip), clip)


def test_shears_keep_their_pivot():
    clip = smooth_clip(1, 21, 31)
    np.testing.assert_array_equal(warp.shear_x(clip, 0.5)[:, 10], clip[:, 10])
    np.testing.assert_array_equal(warp.shear_y(clip, 0.5)[:, :, 15], clip[:, :, 15])


def test_a_quarter_turn_is_a_quarter_turn():
    clip = smooth_clip(2, 16, 16)
    turned = warp.rotate(clip, 90.0).numpy().astype(int)
    np.testing.assert_allclose(turned, np.rot90(clip, axes=(1, 2)).astype(int), atol=1)


@pytest.mark.parametrize("dynamic", [False, True])
def test_one_angle_per_clip(dynamic):
    clip = tf.stack([smooth_clip(1)[0]] * 3)
    transform = Rotate((-20, 20))
    results = [
        (in_graph(transform) if dynamic else transform)(clip, (s, 0)).numpy() for s in range(5)
    ]
    for result in results:
        np.testing.assert_array_equal(result, np.broadcast_to(result[:1], result.shape))
    assert len({result.tobytes() for result in results}) == 5


def test_angles_in_the_wrong_order_are_rejected():
    with pytest.raises(ValueError, match=r"degrees=\(3, -3\)"):
        Rotate((3, -3))
