import numpy as np
import pytest
import tensorflow as tf

from keras_video.data.transforms import color
from keras_video.data.transforms.color import ColorJitter, PixelDropout
from tests.augmentations import arrays, in_graph, records, smooth_clip

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("record", records("color_jitter"), ids=lambda record: record["id"])
def test_jitter_equals_mmaction2_for_the_same_factors(record):
    stored = arrays()
    factors = tf.constant(record["factors"], tf.float32)
    result = ColorJitter.jitter(stored["clip"], factors, tf.constant(record["order"]))
    difference = np.abs(result.numpy().astype(int) - stored[record["id"]])
    # OpenCV's hue has 180 levels and its saturation 256, so colors are rounded twice there.
    assert difference.mean() < 1.5
    assert np.quantile(difference, 0.99) <= 6


@pytest.mark.parametrize(
    "record",
    [r for r in records("operation") if r["name"].startswith("adjust")],
    ids=lambda record: record["id"],
)
def test_adjustments_equal_torchvision(record):
    stored = arrays()
    adjust = getattr(color, record["name"])
    result = color.to_uint8(adjust(tf.cast(stored["clip"], tf.float32), record["argument"]))
    np.testing.assert_allclose(result.numpy().astype(int), stored[record["id"]], atol=2)


@pytest.mark.parametrize("rank", [4, 5])
def test_all_frames_share_one_jitter(rank):
    frame = smooth_clip(1)[0]
    clip = tf.stack([frame] * 3)
    clip = clip if rank == 4 else tf.stack([clip, clip])
    jittered = in_graph(ColorJitter(), rank)
    results = [jittered(clip, (seed, 0)).numpy() for seed in range(6)]
    for seed, result in enumerate(results):
        assert result.dtype == np.uint8
        assert result.shape == clip.shape
        flat = result.reshape(-1, *frame.shape)
        np.testing.assert_array_equal(flat, np.broadcast_to(flat[0], flat.shape))
        again = ColorJitter()(clip, (seed, 0)).numpy().astype(int)
        np.testing.assert_allclose(result.astype(int), again, atol=1)
    assert len({result.tobytes() for result in results}) == 6


def test_no_jitter_changes_nothing():
    clip = smooth_clip()
    result = ColorJitter(0, 0, 0, 0)(clip, (1, 2)).numpy().astype(int)
    np.testing.assert_allclose(result, clip.numpy().astype(int), atol=1)


@pytest.mark.parametrize("dynamic", [False, True])
def test_dropout_blackens_the_same_pixels_in_all_frames(dynamic):
    clip = tf.fill([4, 60, 80, 3], tf.constant(200, tf.uint8))
    transform = PixelDropout((0.02, 0.05))
    fractions = set()
    for seed in range(5):
        result = (in_graph(transform) if dynamic else transform)(clip, (seed, 0)).numpy()
        assert set(np.unique(result)) == {0, 200}
        np.testing.assert_array_equal(result, np.broadcast_to(result[:1, ..., :1], result.shape))
        fractions.add((result == 0).mean())
    assert all(0.015 < fraction < 0.06 for fraction in fractions)
    assert len(fractions) >= 3


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ColorJitter(brightness=1.5), "brightness=1.5, expected 0 to 1"),
        (lambda: ColorJitter(hue=0.6), "hue=0.6, expected 0 to 0.5"),
        (lambda: PixelDropout((0.2, 0.1)), r"share=\(0.2, 0.1\)"),
        (lambda: ColorJitter()(tf.zeros([1, 4, 4, 3]), (0, 0)), "float32 with 3 channels"),
        (
            lambda: ColorJitter()(tf.zeros([1, 4, 4, 2], tf.uint8), (0, 0)),
            "uint8 with 2 channels, expected uint8 and 3",
        ),
        (lambda: ColorJitter()(smooth_clip(), None), "ColorJitter draws at random"),
    ],
)
def test_arguments_out_of_range_are_rejected(make, message):
    with pytest.raises(ValueError, match=message):
        make()
