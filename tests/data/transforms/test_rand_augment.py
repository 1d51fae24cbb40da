import numpy as np
import pytest
import tensorflow as tf

from keras_video.data.transforms import operations
from keras_video.data.transforms.aug_mix import AugMix
from keras_video.data.transforms.rand_augment import RandAugment
from tests.augmentations import in_graph, smooth_clip

TRANSFORMS = {
    "pytorchvideo": RandAugment(),
    "imgaug": RandAugment.imgaug(),
    "timm": RandAugment.timm(),
    "AugMix": AugMix(),
}


def add(amount):
    return lambda frames, level, draws: frames + tf.constant(amount, tf.uint8)


@pytest.mark.slow(every_change=True)
@pytest.mark.parametrize("rank", [4, 5])
@pytest.mark.parametrize("name", TRANSFORMS)
def test_all_frames_share_one_draw_and_seeds_repeat(name, rank):
    transform = TRANSFORMS[name]
    clip = tf.stack([smooth_clip(1)[0]] * 3)
    clip = clip if rank == 4 else tf.stack([clip, clip])
    augmented = in_graph(transform, rank)
    results = [augmented(clip, (seed, 0)).numpy() for seed in range(12)]
    for result in results:
        assert result.dtype == np.uint8
        assert result.shape == clip.shape
        flat = result.reshape(-1, *clip.shape[-3:])
        np.testing.assert_array_equal(flat, np.broadcast_to(flat[0], flat.shape))
    assert len({result.tobytes() for result in results}) >= 6
    for seed in range(2):
        eager = transform(clip, (seed, 0)).numpy().astype(int)
        np.testing.assert_allclose(results[seed].astype(int), eager, atol=2)


@pytest.mark.parametrize("name", ["IMGAUG", "PYTORCHVIDEO", "PYTORCHVIDEO_AUG_MIX", "TIMM"])
def test_every_operation_changes_frames_at_full_level(name):
    clip = smooth_clip(2)
    count = len(getattr(operations, name))
    counts = {"IMGAUG": 15, "PYTORCHVIDEO": 14, "PYTORCHVIDEO_AUG_MIX": 13, "TIMM": 15}
    assert count == counts[name]
    for number, operation in enumerate(getattr(operations, name)):
        result = operation(clip, tf.constant(0.9), tf.constant([0.2, 0.5, 0.5]))
        assert result.dtype == tf.uint8
        assert result.shape == clip.shape
        assert np.mean(result.numpy() != clip.numpy()) > 0.02, number


def test_directions_follow_the_draw():
    clip = smooth_clip(1)
    for operation in operations.IMGAUG[:5]:
        there, back = (
            operation(clip, tf.constant(0.5), tf.constant([draw, 0.0, 0.0])) for draw in (0.2, 0.7)
        )
        assert np.mean(there.numpy() != back.numpy()) > 0.5


def test_cutout_is_a_gray_square():
    clip = tf.zeros([2, 40, 60, 3], tf.uint8)
    cut = operations.IMGAUG[-1](clip, tf.constant(1.0), tf.constant([0.0, 0.5, 0.5])).numpy()
    rows, columns = np.nonzero(cut[0, ..., 0])
    assert set(np.unique(cut)) == {0, 128}
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (16, 23, 26, 33)


def test_different_operations_are_chosen_in_order_or_not():
    ten_fold = (
        lambda frames, level, draws: frames * 2,
        lambda frames, level, draws: frames + 1,
    )
    clip = tf.ones([1, 2, 2, 3], tf.uint8)
    kept = RandAugment(ten_fold, 2, 9, 10, 0.0, 1.0, in_order=True)
    assert {int(kept(clip, (seed, 0))[0, 0, 0, 0]) for seed in range(20)} == {3}
    mixed = RandAugment(ten_fold, 2, 9, 10, 0.0, 1.0)
    assert {int(mixed(clip, (seed, 0))[0, 0, 0, 0]) for seed in range(20)} == {3, 4}


def test_probability_and_strength():
    clip = tf.zeros([1, 2, 2, 3], tf.uint8)
    never = RandAugment((add(1), add(2)), probability=0.0)
    assert not np.any(never(clip, (1, 2)))
    half = RandAugment((add(1),), layers=1, probability=0.5)
    used = [bool(half(clip, (seed, 0))[0, 0, 0, 0]) for seed in range(60)]
    assert 15 < sum(used) < 45

    def encode_level(frames, level, draws):
        return frames + tf.cast(level * 100 + 0.5, tf.uint8)

    fixed = RandAugment((encode_level,), 1, 9, 10, 0.0, 1.0)
    assert {int(fixed(clip, (seed, 0))[0, 0, 0, 0]) for seed in range(5)} == {90}
    drawn = RandAugment((encode_level,), 1, 9, 10, 0.5, 1.0)
    strengths = [int(drawn(clip, (seed, 0))[0, 0, 0, 0]) for seed in range(40)]
    assert 86 < np.mean(strengths) < 94
    assert max(strengths) <= 100
    assert len(set(strengths)) > 8


def test_aug_mix_stays_between_the_clip_and_its_chains():
    clip = tf.fill([1, 2, 2, 3], tf.constant(100, tf.uint8))
    mixed = AugMix((add(40),), width=2, depth=1)
    values = {int(mixed(clip, (seed, 0))[0, 0, 0, 0]) for seed in range(30)}
    assert all(99 <= value <= 140 for value in values)
    assert len(values) > 10
    deep = AugMix((add(10),), width=1)
    assert max(int(deep(clip, (seed, 0))[0, 0, 0, 0]) for seed in range(30)) > 110


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RandAugment(layers=20), "layers=20, expected 1 to 14"),
        (lambda: RandAugment(magnitude=11), "magnitude=11, expected 0 to 10"),
        (lambda: RandAugment(probability=2), "probability=2"),
        (lambda: AugMix(width=0), "width=0"),
        (lambda: AugMix(magnitude=0), "magnitude=0"),
        (lambda: RandAugment()(tf.zeros([1, 4, 4, 3]), (0, 0)), "put it before Normalize"),
    ],
)
def test_arguments_out_of_range_are_rejected(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def pillow(frame, name, level, negative):
    """A frame after timm's operation of this name, computed with Pillow."""
    from PIL import Image, ImageEnhance, ImageOps

    sign = -1 if negative else 1
    gray = {"resample": Image.BILINEAR, "fillcolor": (128, 128, 128)}
    affine = {
        "shear_x": (1, sign * 0.3 * level, 0, 0, 1, 0),
        "shear_y": (1, 0, 0, sign * 0.3 * level, 1, 0),
        "translate_x": (1, 0, sign * 0.45 * level * frame.width, 0, 1, 0),
        "translate_y": (1, 0, 0, 0, 1, sign * 0.45 * level * frame.height),
    }
    if name in affine:
        return frame.transform(frame.size, Image.AFFINE, affine[name], **gray)
    if name == "rotate":
        return frame.rotate(sign * 30 * level, **gray)
    if name == "posterize":
        return ImageOps.posterize(frame, 4 - int(4 * level))
    if name == "solarize":
        return ImageOps.solarize(frame, 256 - int(256 * level))
    if name == "solarize_add":
        table = [min(255, i + int(110 * level)) if i < 128 else i for i in range(256)]
        return frame.point(table * 3)
    if name in ("autocontrast", "equalize", "invert"):
        return getattr(ImageOps, name)(frame)
    return getattr(ImageEnhance, name)(frame).enhance(1 + sign * 0.9 * level)


TIMM = ("autocontrast", "equalize", "invert", "rotate", "posterize", "solarize", "solarize_add",
        "Color", "Contrast", "Brightness", "Sharpness", "shear_x", "shear_y", "translate_x",
        "translate_y")  # fmt: skip


@pytest.mark.parametrize("name", TIMM)
@pytest.mark.parametrize("negative", [True, False])
def test_timm_operations_equal_pillow(name, negative):
    from PIL import Image

    clip, level = smooth_clip(1, 48, 64), 0.7
    operation = operations.TIMM[TIMM.index(name)]
    draws = tf.constant([0.2 if negative else 0.8, 0.0, 0.0])
    result = operation(clip, tf.constant(level), draws).numpy()[0].astype(int)
    expected = np.asarray(pillow(Image.fromarray(clip.numpy()[0]), name, level, negative), int)
    difference = np.abs(result - expected)
    # Edges of exposed areas are blended here, and individual values round differently.
    assert np.mean(difference > 3) < 0.03 and np.median(difference) <= 1, (
        difference.max(),
        difference.mean(),
    )


def test_operations_may_be_chosen_twice():
    calls = []

    def count(number):
        def operation(frames, level, draws):
            tf.py_function(lambda: calls.append(number), [], [])
            return frames

        return operation

    transform = RandAugment([count(0), count(1), count(2)], 3, probability=1.0, repeating=True)
    clip, repeated = smooth_clip(1), 0
    for seed in range(20):
        calls.clear()
        transform(clip, (seed, 0))
        assert len(calls) == 3
        repeated += len(set(calls)) < 3
    assert 8 < repeated < 20  # 9 in 10 expected
