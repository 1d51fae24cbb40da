import numpy as np
import pytest
import tensorflow as tf

from keras_video.data.pipelines.normalizing import normalizing
from keras_video.data.pipelines.processing import Processing
from keras_video.data.transforms.basic import Flip, Normalize, Resize

pytestmark = pytest.mark.unit

RGB = Normalize((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
BGR = Normalize((104.0, 117.0, 128.0), (1.0, 2.0, 3.0), to_bgr=True)
FLOW = Normalize((128.0, 120.0), (226.0, 200.0))


@pytest.mark.parametrize(
    ("transform", "shape", "dtype"),
    [
        (RGB, (2, 3, 40, 30, 3), "uint8"),
        (RGB, (1, 2, 3, 500, 300, 3), "uint8"),
        (BGR, (2, 3, 7, 5, 3), "uint8"),
        (FLOW, (2, 1, 9, 8, 10), "uint8"),
        (RGB, (2, 9, 8, 3), "float32"),
        (RGB, (0, 3, 9, 8, 3), "uint8"),
    ],
)
@pytest.mark.parametrize("known", [True, False])
def test_batches_equal_individually_normalized_examples(transform, shape, dtype, known):
    batch = np.random.default_rng(0).uniform(0, 256, shape).astype(dtype)
    spec = tf.TensorSpec(shape if known else [None] * (len(shape) - 1) + [shape[-1]], dtype)
    traced = tf.function(normalizing(transform), input_signature=[spec])
    result = traced(batch)
    assert traced.get_concrete_function().output_shapes == spec.shape
    assert result.dtype == tf.float32
    np.testing.assert_array_equal(result, transform(batch))


def test_only_a_final_transform_is_deferred_to_the_batch():
    processing = Processing.of_transforms(None, [Resize(short_side=8), Flip(), RGB])
    assert processing.transforms == (Resize(short_side=8), Flip())
    assert processing.normalize == RGB and processing.finish is not None
    assert processing.all_transforms == (Resize(short_side=8), Flip(), RGB)
    for others in ((), (Flip(),), (RGB, Flip())):
        processing = Processing.of_transforms(None, others)
        assert (processing.transforms, processing.normalize, processing.finish) == (
            others,
            None,
            None,
        )
        assert processing.all_transforms == others


def test_wrong_channels_are_rejected_before_anything_is_read():
    dataset = tf.data.Dataset.from_tensors(tf.zeros([2, 4, 4, 2], tf.uint8))
    with pytest.raises(ValueError, match="Normalize: received a clip of 2 channels, expected 3"):
        dataset.map(normalizing(RGB))
