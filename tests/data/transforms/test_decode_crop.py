import numpy as np
import pytest
import tensorflow as tf

from keras_video.data import (
    CenterCrop,
    Flip,
    MultiScaleCrop,
    Normalize,
    RandomCrop,
    RandomResizedCrop,
    Resize,
)
from keras_video.data.transforms.basic import apply_transforms
from keras_video.data.transforms.decode_crop import (
    Shrink,
    apply_planned_transforms,
    leading_crop,
    leading_shrink,
)

NORMALIZE = Normalize((1, 2, 3), (4, 5, 6))
CROPS = [
    RandomResizedCrop((24, 20)),
    MultiScaleCrop(24, scales=(1, 0.875, 0.66)),
    MultiScaleCrop(24, scales=(1, 0.5), random_crop=True),
]
CLIP = np.random.default_rng(0).integers(0, 256, (2, 40, 52, 3)).astype(np.uint8)


@pytest.mark.slow(every_change=True)
@pytest.mark.parametrize("crop", CROPS)
@pytest.mark.parametrize("before", [(), (Resize(short_side=40),), (Resize(short_side=32),)])
@pytest.mark.parametrize("early", [True, False])
def test_cropped_frames_become_the_same_clips(crop, before, early):
    transforms = (*before, crop, Flip(), NORMALIZE)
    first = leading_crop(transforms)

    pair, six = (tf.TensorSpec([count], tf.int32) for count in (2, 6))
    frames_of_any_size = tf.TensorSpec([None, None, None, 3], tf.uint8)

    @tf.function(input_signature=[frames_of_any_size, pair, six])
    def planned(clip, seed, plan):
        return apply_planned_transforms(transforms, clip, seed, plan)

    for number in range(5):
        seed, frames, inner = np.array((3, number), np.int32), CLIP, None
        box = first.box(40, 52, seed) if early else None
        if box:
            top, left, height, width = box
            frames = CLIP[:, top : top + height, left : left + width]
            inner = (0, 0, height, width)
        else:
            assert not early or before == (Resize(short_side=32),)
        plan = first.plan(*frames.shape[1:3], inner, seed)
        expected = apply_transforms(transforms, CLIP, seed)
        np.testing.assert_array_equal(planned(frames, seed, plan), expected)


def test_only_leading_crops_are_applied_while_decoding():
    assert leading_crop(()) is None
    assert leading_crop((CenterCrop(8), CROPS[0])) is None
    assert leading_crop((Flip(), CROPS[0])) is None
    assert leading_crop((Resize(short_side=8), CenterCrop(8))) is None
    assert leading_crop((CROPS[0],)).count == 1
    assert leading_crop((Resize(short_side=8), CROPS[0])).count == 2


@pytest.mark.parametrize(
    "transform",
    [Resize(short_side=256), Resize(within=(256, 340)), Resize(size=(224, 300)), CenterCrop(64)],
    ids=str,
)
def test_shrunk_frames_are_left_unchanged(transform):
    generator = np.random.default_rng(0)
    if isinstance(transform, Resize):
        for height, width in generator.integers(1, 5000, (20_000, 2)).tolist():
            after = transform.output_size(height, width)
            assert transform.output_size(*after) == after
            graph = transform.output_size(*map(tf.constant, after)) if height % 500 == 0 else after
            assert tuple(map(int, graph)) == after
    shrink = leading_shrink([transform])
    for height, width in ((300, 417), (1080, 1920), (333, 64), (20, 30), (256, 340)):
        frames = generator.integers(0, 255, (2, height, width, 3), np.uint8)
        shrunk = shrink(frames)
        assert shrunk.size <= frames.size
        try:
            expected = apply_transforms((transform,), frames)
        except ValueError:
            assert shrunk is frames  # too small to crop: the transform itself raises the error
            continue
        np.testing.assert_array_equal(apply_transforms((transform,), shrunk), expected)
        if (
            expected.shape != frames.shape
            and expected.shape[1] * expected.shape[2] < height * width
        ):
            np.testing.assert_array_equal(shrunk, expected)


def test_only_the_first_transform_shrinks():
    assert leading_shrink([Resize(short_side=8), CenterCrop(8)]) == Shrink(Resize(short_side=8))
    assert leading_shrink([RandomCrop(8), Resize(short_side=8)]) is None
    assert leading_shrink([]) is None
