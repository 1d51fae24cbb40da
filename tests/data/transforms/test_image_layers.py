import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_video.data.transforms.image_layers import ImageLayer
from tests.augmentations import smooth_clip


def keras_layers():
    return [
        keras.layers.RandomFlip("horizontal"),
        keras.layers.RandomRotation(0.1),
        keras.layers.RandomTranslation(0.2, 0.2),
        keras.layers.RandomBrightness(0.3),
        keras.layers.RandomContrast(0.5),
    ]


def cv_layers():
    keras_cv = pytest.importorskip("keras_cv")
    layers = keras_cv.layers
    return [
        layers.RandomFlip("horizontal"),
        layers.RandomRotation(0.1),
        layers.RandomHue(0.5, value_range=(0, 255)),
        layers.RandomCutout(0.3, 0.3),
        layers.RandomGaussianBlur(kernel_size=3, factor=(0.5, 1.0)),
        layers.RandAugment(value_range=(0, 255), magnitude=0.5),
    ]


def check_one_draw_per_clip(layer, rank=4):
    """All frames change identically, and draws differ between calls."""
    clip = tf.stack([smooth_clip(1)[0]] * 3)
    clip = clip if rank == 4 else tf.stack([clip, clip])
    transform = tf.function(
        ImageLayer(layer),
        input_signature=[
            tf.TensorSpec([None] * (rank - 3) + list(clip.shape[-3:]), tf.uint8),
            tf.TensorSpec([2], tf.int32),
        ],
    )
    results = [transform(clip, (seed, 0)).numpy() for seed in range(8)]
    for result in results:
        assert result.dtype == np.uint8
        assert result.shape == clip.shape
        flat = result.reshape(-1, *clip.shape[-3:])
        np.testing.assert_array_equal(flat, np.broadcast_to(flat[0], flat.shape))
    assert len({result.tobytes() for result in results}) > 1
    return results


@pytest.mark.parametrize("number", range(5))
def test_keras_layers_draw_once_per_clip_from_the_seed(number):
    results = check_one_draw_per_clip(keras_layers()[number], rank=4 + number % 2)
    again = check_one_draw_per_clip(keras_layers()[number], rank=4 + number % 2)
    np.testing.assert_array_equal(results, again)


@pytest.mark.parametrize("number", range(6))
def test_keras_cv_layers_draw_once_per_clip(number):
    check_one_draw_per_clip(cv_layers()[number], rank=4 + number % 2)


def test_layers_run_in_a_data_pipeline():
    transform = ImageLayer(keras.layers.RandomBrightness(0.3))
    clips = tf.stack([smooth_clip(2)] * 4)
    seeds = tf.constant([[0, 1], [0, 2], [0, 1], [0, 3]])
    dataset = tf.data.Dataset.from_tensor_slices((clips, seeds)).map(
        transform, num_parallel_calls=2
    )
    results = [result.numpy() for result in dataset]
    np.testing.assert_array_equal(results[0], results[2])
    assert len({result.tobytes() for result in results}) == 3


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ImageLayer(keras.layers.Dense(3)), "expected an augmentation layer"),
        (lambda: ImageLayer(keras.layers.MixUp()), "received MixUp, which mixes images or draws"),
        (
            lambda: ImageLayer(keras.layers.RandomBrightness(0.3, value_range=(0, 1))),
            r"value_range=\[0, 1\], expected \(0, 255\)",
        ),
        (
            lambda: ImageLayer(keras.layers.RandomContrast(0.3))(smooth_clip(), None),
            "ImageLayer draws at random",
        ),
    ],
)
def test_unsupported_layers_are_rejected(make, message):
    with pytest.raises(ValueError, match=message):
        make()
