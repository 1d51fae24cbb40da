import numpy as np
import pytest

from keras_video.data import (
    CenterCrop,
    EpochCounter,
    Flip,
    Normalize,
    RandomErasing,
    RandomResizedCrop,
    Resize,
    SampleFrames,
    video_dataset,
)

NORMALIZE = Normalize((120.0, 120.0, 120.0), (60.0, 60.0, 60.0))
SEGMENTS = SampleFrames(1, num_clips=3)


def train(folder, transforms, **options):
    arguments = {"sampling": SEGMENTS, "transforms": transforms, "training": True, "batch_size": 4}
    return video_dataset(folder / "list.txt", folder, **{**arguments, **options})


def batches(dataset):
    return list(dataset.as_numpy_iterator())


def test_a_batch_has_clips_of_the_same_frames_with_separate_draws(tiny_videos):
    plain = (Resize(short_side=32), CenterCrop(32), NORMALIZE)
    single, twice = (batches(train(tiny_videos, plain, repeats=count)) for count in (1, 2))
    assert len(single) == len(twice) == 2
    for (clips, labels), (several, repeated) in zip(single, twice, strict=True):
        assert several.shape == (8, *clips.shape[1:])
        # Without random transforms, the clips of a video are equal: its frames are drawn once.
        np.testing.assert_allclose(several, np.repeat(clips, 2, axis=0), atol=1e-5)
        np.testing.assert_array_equal(repeated, np.repeat(labels, 2))
    random = (RandomResizedCrop(32), Flip(0.5), NORMALIZE, RandomErasing(0.5))
    dataset = train(tiny_videos, random, repeats=3)
    assert dataset.element_spec[0].shape.as_list() == [None, 3, 32, 32, 3]
    assert len(dataset) == 2
    clips, labels = batches(dataset)[0]
    assert clips.shape == (12, 3, 32, 32, 3)
    for video in range(4):
        own = clips[3 * video : 3 * video + 3]
        assert len({clip.tobytes() for clip in own}) == 3
        assert len(set(labels[3 * video : 3 * video + 3])) == 1


def test_draws_depend_on_seed_and_pass_alone(tiny_videos):
    random = (RandomResizedCrop(32), Flip(0.5, {0: 1, 1: 0}), NORMALIZE)
    first = batches(train(tiny_videos, random, repeats=2, epoch=EpochCounter(3)))
    again = batches(
        train(tiny_videos, random, repeats=2, epoch=EpochCounter(3), num_parallel_calls=1)
    )
    other = batches(train(tiny_videos, random, repeats=2, epoch=EpochCounter(4)))
    for (clips, labels), (same, same_labels) in zip(first, again, strict=True):
        np.testing.assert_array_equal(clips, same)
        np.testing.assert_array_equal(labels, same_labels)
    assert not np.array_equal(first[0][0], other[0][0])
    # Each clip of a video is flipped separately, together with its label.
    pairs = np.concatenate([labels for _, labels in first + other]).reshape(-1, 2)
    assert 0 < np.sum(pairs[:, 0] != pairs[:, 1]) < len(pairs)


@pytest.mark.parametrize("options", [{"training": False}, {"batch_size": None}])
def test_only_training_batches_are_repeated(tiny_videos, options):
    with pytest.raises(ValueError, match="repeats=2: received .* expected batches for training"):
        train(tiny_videos, (CenterCrop(32), NORMALIZE), repeats=2, **options)
    with pytest.raises(ValueError, match="repeats"):
        train(tiny_videos, (CenterCrop(32), NORMALIZE), repeats=0)
