import numpy as np
import pytest
import tensorflow as tf

from keras_video.data import RandomErasing

CLIP = np.full((3, 40, 60, 3), 7.0, "float32")


def erased(result):
    """Rows and columns of the box, of the first frame."""
    rows, columns = np.nonzero(np.any(result[0] != 7, axis=-1))
    return rows, columns


@pytest.mark.parametrize("noise", ["pixel", "color"])
def test_the_same_box_in_all_frames_becomes_normal_noise(noise):
    transform = RandomErasing(1.0, noise, area_range=(0.2, 0.3))
    model_input_shape = tf.TensorSpec([None, None, None, 3])
    in_graph = tf.function(
        transform, input_signature=[model_input_shape, tf.TensorSpec([2], tf.int32)]
    )
    boxes = set()
    for seed in range(12):
        result = transform(CLIP, (seed, 0)).numpy()
        rows, columns = erased(result)
        height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
        assert len(rows) == height * width  # a solid box
        assert 0.15 < len(rows) / 2400 < 0.35 and 0.25 < height / width < 4
        box = result[:, rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        assert np.sum(result != 7) == box.size
        assert np.abs(box).max() < 6
        if noise == "pixel":
            assert abs(box.mean()) < 0.2 and abs(box.std() - 1) < 0.2
        else:
            assert np.ptp(box, axis=(1, 2)).max() == 0
            assert len(np.unique(box)) == 9  # one per frame and channel
        boxes.add((rows.min(), columns.min(), height, width))
        np.testing.assert_array_equal(result, in_graph(tf.constant(CLIP), (seed, 0)))
    assert len(boxes) > 8


def test_some_clips_are_unchanged():
    transform = RandomErasing(0.25)
    changed = [np.any(transform(CLIP, (seed, 5)).numpy() != CLIP) for seed in range(200)]
    assert 0.15 < np.mean(changed) < 0.35


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"probability": 1.5}, "received probability=1.5, expected 0 to 1"),
        ({"noise": "salt"}, "received noise='salt', expected one of pixel, color"),
        ({"area_range": (0.5, 0.1)}, "area_range"),
        ({"aspect_ratio_range": (0, 1)}, "aspect_ratio_range"),
    ],
)
def test_arguments_out_of_range_are_rejected(arguments, message):
    with pytest.raises(ValueError, match=message):
        RandomErasing(**arguments)


def test_pixels_that_are_not_normalized_are_rejected():
    with pytest.raises(ValueError, match="received a clip of uint8, expected floats"):
        RandomErasing()(np.zeros((2, 8, 8, 3), "uint8"), (0, 0))
