import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from keras_video.data.transforms.basic import (
    CenterCrop,
    Flip,
    MultiScaleCrop,
    Normalize,
    RandomRescale,
    Resize,
    apply_label_transforms,
    apply_transforms,
)

FIXTURES = Path(__file__).parents[2] / "fixtures" / "data"
MIRRORED = {1: 2, 2: 1, 5: 3, 3: 5}


def records(topic):
    return json.loads((FIXTURES / f"{topic}.json").read_text())["records"]


def in_graph(transform, channels=3, rank=4, dtype=tf.uint8):
    """The transform as a graph with unknown number and size of frames."""
    clip = tf.TensorSpec([None] * (rank - 1) + [channels], dtype)
    seed = tf.TensorSpec([2], tf.int32)
    return tf.function(lambda clip, seed: transform(clip, seed), input_signature=[clip, seed])


def run(transform, clip, seed=(0, 0), dynamic=False):
    """The transform's result as an array, eagerly or in a graph of unknown sizes."""
    if dynamic:
        transform = in_graph(transform, clip.shape[-1], clip.ndim, clip.dtype)
    return transform(clip, seed).numpy()


def noise(*shape):
    return np.random.default_rng(0).integers(256, size=shape, dtype=np.uint8)


def resize_of(arguments):
    width, height = arguments["scale"]
    if width == -1:
        return Resize(short_side=height)
    if arguments["keep_ratio"]:
        return Resize(within=(width, height))
    return Resize(size=(height, width))


@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize("record", [r for r in records("resize") if "id" not in r])
def test_output_sizes_equal_the_reference(record, dynamic):
    clip = np.zeros((1, record["input"]["height"], record["input"]["width"], 1), np.uint8)
    resized = run(resize_of(record["arguments"]), clip, dynamic=dynamic)
    assert resized.shape == (1, record["output"]["height"], record["output"]["width"], 1)


@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize("record", [r for r in records("resize") if "id" in r])
def test_resized_pixels_equal_the_reference(record, dynamic):
    arrays = np.load(FIXTURES / "resize.npz")
    image, expected = (arrays[f"{record['id']}/{name}"] for name in ("image", "resized"))
    views = np.stack([image, image[::-1]])[None]
    resized = run(resize_of(record["arguments"]), views, dynamic=dynamic)
    assert resized.dtype == np.uint8
    assert resized.shape == (1, 2, *expected.shape)
    np.testing.assert_allclose(resized[0, 0].astype(int), expected.astype(int), atol=1)
    np.testing.assert_allclose(resized[0, 1, ::-1].astype(int), expected.astype(int), atol=1)


@pytest.mark.parametrize("size", [(20, 24), (90, 130)])
def test_both_resize_implementations_give_the_same_pixels(size):
    """Large frames are resized as uint8, small ones as float32."""
    clip = noise(2, 60, 80, 3)
    expected = tf.raw_ops.ResizeBilinear(
        images=clip.astype(np.float32), size=size, half_pixel_centers=True
    )
    np.testing.assert_array_equal(Resize(size=size)(clip), tf.cast(expected + 0.5, tf.uint8))


def test_known_sizes_stay_known_and_float_clips_stay_float():
    clip = tf.constant(noise(2, 20, 30, 3), tf.float32)
    traced = tf.function(lambda clip: Resize(short_side=10)(clip)).get_concrete_function(clip)
    assert traced.output_shapes.as_list() == [2, 10, 15, 3]
    resized = Resize(short_side=10)(clip)
    assert resized.dtype == tf.float32
    assert np.any(resized.numpy() % 1 > 0)


def test_both_size_computations_agree():
    """Sizes are computed in Python if known, otherwise in TensorFlow."""
    transform = Resize(short_side=256)
    sizes = np.random.default_rng(0).integers(90, 2000, size=(200, 2)).astype(np.int32)
    known = [transform.output_size(int(height), int(width)) for height, width in sizes]
    computed = [
        tf.stack(transform.output_size(*tf.unstack(size))).numpy() for size in tf.constant(sizes)
    ]
    np.testing.assert_array_equal(known, computed)


@pytest.mark.parametrize("dynamic", [False, True])
def test_random_rescale_draws_both_ends(dynamic):
    transform = RandomRescale(short_side=(8, 10))
    applied = in_graph(transform) if dynamic else transform
    clip = noise(3, 12, 18, 3)
    results = [applied(clip, (seed, 0)).numpy() for seed in range(24)]
    assert {result.shape for result in results} == {(3, 8, 12, 3), (3, 9, 14, 3), (3, 10, 15, 3)}
    for seed, result in enumerate(results):
        np.testing.assert_array_equal(result[1:2], transform(clip[1:2], (seed, 0)))


@pytest.mark.parametrize("dynamic", [False, True])
def test_flip_mirrors_all_frames_or_none(dynamic):
    clip = noise(2, 3, 4, 5, 3)
    applied = in_graph(Flip(), rank=5) if dynamic else Flip()
    results = [applied(clip, (seed, 1)).numpy() for seed in range(60)]
    mirrored = [np.array_equal(result, clip[..., ::-1, :]) for result in results]
    kept = [np.array_equal(result, clip) for result in results]
    assert all(a != b for a, b in zip(mirrored, kept, strict=True))
    assert 15 < sum(mirrored) < 45
    np.testing.assert_array_equal(results[:8], [Flip()(clip, (seed, 1)) for seed in range(8)])


@pytest.mark.parametrize(("probability", "mirrored"), [(0.0, False), (1.0, True)])
def test_flip_probability(probability, mirrored):
    clip = noise(2, 4, 5, 3)
    for seed in range(10):
        result = run(Flip(probability), clip, (seed, 1))
        np.testing.assert_array_equal(result, clip[:, :, ::-1] if mirrored else clip)


@pytest.mark.parametrize("channels", [2, 4])
def test_flipped_flow_changes_direction(channels):
    clip = noise(3, 4, 5, channels)
    mirrored = run(Flip(1.0, flow=True), clip, (0, 0))
    assert mirrored.dtype == np.uint8
    np.testing.assert_array_equal(mirrored[..., 0::2], 255 - clip[:, :, ::-1, 0::2])
    np.testing.assert_array_equal(mirrored[..., 1::2], clip[:, :, ::-1, 1::2])
    np.testing.assert_array_equal(run(Flip(0.0, flow=True), clip, (0, 0)), clip)


@pytest.mark.parametrize(
    ("dtype", "graph"), [(tf.int32, True), (tf.int64, True), (tf.int32, False)]
)
def test_label_follows_the_flip_of_the_clip(dtype, graph):
    transforms = (Resize(size=(6, 8)), Flip(label_map=MIRRORED), Normalize((0.0,), (1.0,)))
    clip = tf.constant(np.tile(np.arange(8, dtype=np.uint8)[:, None], (2, 6, 1, 1)))

    def both(label, seed):
        return apply_transforms(transforms, clip, seed), apply_label_transforms(
            transforms, label, seed
        )

    both = tf.function(both) if graph else both
    combinations = set()
    for seed in range(10):
        for label in (0, 1, 3, 5):
            result, changed = both(tf.constant(label, dtype), tf.constant([seed, 0]))
            mirrored = bool(result[0, 0, 0, 0] == 7)
            assert changed.dtype == dtype
            assert changed == (MIRRORED.get(label, label) if mirrored else label)
            combinations.add((mirrored, label))
    assert len(combinations) == 8


def test_labels_of_several_classes_are_swapped():
    label = tf.constant([0.0, 1.0, 0.0, 0.5, 1.0, 0.0, 0.25])
    swapped = Flip(1.0, label_map=MIRRORED).label(label, (0, 0))
    np.testing.assert_array_equal(swapped, [0.0, 0.0, 1.0, 0.0, 1.0, 0.5, 0.25])
    np.testing.assert_array_equal(Flip(0.0, label_map=MIRRORED).label(label, (0, 0)), label)
    np.testing.assert_array_equal(Flip(1.0).label(label, (0, 0)), label)


@pytest.mark.parametrize("dynamic", [False, True])
def test_normalize_equals_the_reference(dynamic):
    arrays = np.load(FIXTURES / "pixel_steps.npz")
    checked = 0
    for record in records("pixel_steps"):
        arguments = record["arguments"]
        if arguments["transform"] != "Normalize":
            continue
        images, expected = (arrays[f"{record['id']}/{name}"] for name in ("images", "result"))
        std = arguments["std"]
        if record["input"].get("modality") == "Flow":
            images = np.stack([images[0::2], images[1::2]], axis=-1)
        if arguments.get("adjust_magnitude"):
            # The original then multiplies by the scale factors of a resize, a smaller difference.
            std = [s / f for s, f in zip(std, record["input"]["scale_factor"], strict=False)]
        transform = Normalize(arguments["mean"], std, arguments.get("to_bgr", False))
        result = run(transform, images, dynamic=dynamic)
        assert result.dtype == np.float32
        np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-6)
        checked += 1
    assert checked == 3


def test_normalize_of_stacked_flow_and_views():
    clip = noise(2, 3, 4, 5, 6)
    result = run(Normalize((100, 128), (10, 20)), clip)
    np.testing.assert_allclose(result[..., 0::2], (clip[..., 0::2] - 100.0) / 10, rtol=1e-6)
    np.testing.assert_allclose(result[..., 1::2], (clip[..., 1::2] - 128.0) / 20, rtol=1e-6)


def test_every_transform_gets_a_separate_seed():
    transforms = (Flip(), Flip())
    clip = noise(1, 4, 5, 3)
    outcomes = {
        apply_transforms(transforms, clip, (seed, 0)).numpy().tobytes() for seed in range(20)
    }
    assert len(outcomes) == 2, "two flips with one shared draw would always undo each other"


def test_transforms_in_a_data_pipeline_equal_eager_transforms():
    transforms = (
        Resize(short_side=24),
        MultiScaleCrop(16, scales=(1, 0.75)),
        Flip(label_map=MIRRORED),
        Normalize((100.0, 110.0, 120.0), (50.0, 60.0, 70.0)),
    )
    clips = [noise(3, height, width, 3) for height, width in ((30, 40), (50, 33), (24, 31))]

    def read():
        for index, clip in enumerate(clips):
            yield clip, np.array([5, index], np.int32)

    dataset = tf.data.Dataset.from_generator(
        read,
        output_signature=(
            tf.TensorSpec([None, None, None, 3], tf.uint8),
            tf.TensorSpec([2], tf.int32),
        ),
    ).map(lambda clip, seed: apply_transforms(transforms, clip, seed), num_parallel_calls=2)
    assert dataset.element_spec.shape.as_list() == [None, 16, 16, 3]
    for index, result in enumerate(dataset):
        expected = apply_transforms(transforms, clips[index], (5, index))
        np.testing.assert_allclose(result, expected, rtol=1e-6, atol=1e-6)


def test_transforms_without_randomness_need_no_seed():
    transforms = (Resize(short_side=8), CenterCrop(8), Normalize((0.0,), (255.0,)))
    assert apply_transforms(transforms, noise(2, 10, 12, 3)).shape == (2, 8, 8, 3)
    assert apply_label_transforms(transforms, tf.constant(3)) == 3
    with pytest.raises(ValueError, match="Flip draws at random: received seed=None"):
        apply_transforms((*transforms, Flip()), noise(2, 10, 12, 3))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Resize(), "Resize: received {}, expected one of"),
        (lambda: Resize(short_side=4, size=(4, 4)), "'short_side': 4, 'size'"),
        (lambda: Resize(short_side=-4), "short_side=-4"),
        (lambda: Resize(size=(4, 0)), r"size=\(4, 0\)"),
        (lambda: RandomRescale((9, 8)), r"short_side=\(9, 8\)"),
        (lambda: Flip(1.5), "probability=1.5"),
        (lambda: Flip(label_map={1: 2}), "label_map={1: 2}, expected both directions"),
        (lambda: Flip(1.0, flow=True)(tf.zeros([1, 2, 2, 3]), (0, 0)), "received 3 channels"),
        (lambda: Normalize((1, 2), (1,)), r"mean=\(1, 2\), std=\(1,\)"),
        (lambda: Normalize((1,), (0,)), r"std=\(0,\)"),
        (lambda: Normalize((1, 2), (1, 2))(tf.zeros([1, 2, 2, 3])), "of 3 channels, expected 2"),
    ],
)
def test_arguments_out_of_range_are_rejected(make, message):
    with pytest.raises(ValueError, match=message):
        make()
