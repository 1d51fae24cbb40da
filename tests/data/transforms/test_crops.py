import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from keras_video.data.transforms.crops import (
    CenterCrop,
    MultiScaleCrop,
    RandomCrop,
    RandomResizedCrop,
    TenCrop,
    ThreeCrop,
)

FIXTURES = Path(__file__).parents[2] / "fixtures" / "data"
FIXED = {"CenterCrop": CenterCrop, "ThreeCrop": ThreeCrop, "TenCrop": TenCrop}
RANDOM = [
    RandomCrop(6),
    RandomResizedCrop((5, 7)),
    MultiScaleCrop(6, scales=(1, 0.75, 0.5), num_fixed_crops=13),
    MultiScaleCrop((5, 7), scales=(1, 0.75, 0.5), random_crop=True),
]


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


def coordinates(height, width, frames=2):
    """A clip whose channels are frame, y and x."""
    return np.stack(np.mgrid[:frames, :height, :width], axis=-1).astype(np.int32)


def box_of(crop):
    """(x1, y1, x2, y2) of a crop from a clip of coordinates."""
    x, y = crop[..., 2], crop[..., 1]
    return [x.min(), y.min(), x.max() + 1, y.max() + 1]


def draw_many(draw, count=400):
    """Results of `draw(seed)` for many seeds, traced once."""
    seeds = tf.stack([tf.range(count), tf.ones(count, tf.int32)], axis=1)
    return tf.function(lambda: tf.map_fn(draw, seeds, fn_output_signature=tf.int32))().numpy()


@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize("record", [r for r in records("crops") if "id" not in r])
def test_boxes_equal_the_reference(record, dynamic):
    transform = FIXED[record["arguments"]["transform"]](record["arguments"]["crop_size"])
    clip = coordinates(record["input"]["height"], record["input"]["width"])
    crops = run(transform, clip, dynamic=dynamic).reshape(
        -1, *clip.shape[:1], *2 * [transform.size], 3
    )
    assert [box_of(crop) for crop in crops] == record["output"]["boxes_x1y1x2y2"]
    assert crops.shape[0] * crops.shape[1] == record["output"]["images"]


@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize("record", [r for r in records("crops") if "id" in r])
def test_order_of_crops_mirrors_and_frames_equals_the_reference(record, dynamic):
    arrays = np.load(FIXTURES / "crops.npz")
    transform = FIXED[record["arguments"]["transform"]](record["arguments"]["crop_size"])
    crops = run(transform, arrays[f"{record['id']}/frames"], dynamic=dynamic)
    expected = arrays[f"{record['id']}/crops"]
    np.testing.assert_array_equal(crops.reshape(expected.shape), expected)


@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize("transform", [ThreeCrop(8), TenCrop(6)])
def test_crops_of_several_views_follow_their_view(transform, dynamic):
    views = np.random.default_rng(0).integers(256, size=(2, 3, 8, 12, 3), dtype=np.uint8)
    together = run(transform, views, dynamic=dynamic)
    apart = np.concatenate([run(transform, view) for view in views])
    np.testing.assert_array_equal(together, apart)
    known = tf.function(lambda clip: transform(clip)).get_concrete_function(
        tf.TensorSpec(views.shape, tf.uint8)
    )
    assert known.output_shapes.as_list() == list(together.shape)


@pytest.mark.parametrize("transform", [CenterCrop(9), RandomCrop(9), ThreeCrop(9), TenCrop((9, 5))])
def test_frames_smaller_than_the_crop_are_rejected(transform):
    clip = coordinates(8, 12)
    crop_size = "9x5" if isinstance(transform, TenCrop) else "9x9"
    message = f"{type(transform).__name__}: .* at least {crop_size} .* Received"
    with pytest.raises(ValueError, match=f"{message} 8x12"):
        run(transform, clip, (0, 0))
    with pytest.raises(tf.errors.InvalidArgumentError, match=f"(?s){message}.*8x12"):
        run(transform, clip, (0, 0), dynamic=True)


def test_three_crops_must_cover_the_frames():
    message = "ThreeCrop: expected frames of height 6 or of width 6"
    with pytest.raises(ValueError, match=f"{message}.* 8x12"):
        run(ThreeCrop(6), coordinates(8, 12))
    with pytest.raises(tf.errors.InvalidArgumentError, match=f"(?s){message}.*8x12"):
        run(ThreeCrop(6), coordinates(8, 12), dynamic=True)


@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize("transform", RANDOM, ids=repr)
def test_random_crops_repeat_with_their_seed_and_hold_for_all_frames(transform, dynamic):
    frame = np.random.default_rng(0).integers(256, size=(1, 1, 12, 16, 3), dtype=np.uint8)
    clip = np.tile(frame, (2, 4, 1, 1, 1))
    size = (transform.size, transform.size) if isinstance(transform.size, int) else transform.size
    applied = in_graph(transform, rank=5) if dynamic else transform
    results = [applied(clip, (seed, 3)).numpy() for seed in range(6)]
    for seed, result in enumerate(results):
        assert result.shape == (2, 4, *size, 3)
        assert result.dtype == np.uint8
        assert np.all(result == result[:1, :1])
        np.testing.assert_array_equal(result[0], transform(clip[0], (seed, 3)))
    assert len({result.tobytes() for result in results}) > 1


@pytest.mark.parametrize("transform", RANDOM, ids=repr)
def test_random_crops_need_a_seed(transform):
    with pytest.raises(
        ValueError, match=f"{type(transform).__name__} draws at random: .*seed=None"
    ):
        transform(tf.zeros([2, 12, 16, 3], tf.uint8), None)


def test_random_crop_draws_every_position():
    clip = tf.constant(coordinates(8, 12, frames=1))
    transform = RandomCrop((5, 8))
    places = draw_many(lambda seed: transform(clip, seed)[0, 0, 0])[:, 1:]
    assert {tuple(place) for place in places} == {(y, x) for y in range(4) for x in range(5)}


@pytest.mark.parametrize("record", records("multi_scale_crop"))
def test_multi_scale_candidates_equal_the_reference(record):
    arguments = dict(record["arguments"])
    transform = MultiScaleCrop(arguments.pop("input_size"), **arguments)
    height, width = record["input"]["height"], record["input"]["width"]
    sizes = transform.candidate_sizes(height, width).numpy()
    assert sizes.tolist() == record["output"]["candidate_sizes_wh"]
    offsets = transform.candidate_offsets(height - sizes[0, 1], width - sizes[0, 0]).numpy()
    assert offsets.tolist() == record["output"]["offsets_xy_for_first_size"]


@pytest.mark.parametrize("num_fixed_crops", [5, 13])
def test_multi_scale_crop_draws_every_candidate(num_fixed_crops):
    transform = MultiScaleCrop(
        2, scales=(1, 0.5), max_wh_scale_gap=0, num_fixed_crops=num_fixed_crops
    )
    clip = tf.constant(coordinates(16, 24, frames=1)[..., 1:], tf.float32)

    def drawn(seed):
        # A box resized to 2 x 2 pixels samples coordinates a quarter from its edges.
        corners = transform(clip, seed)[0]
        side = 2 * (corners[1, 1] - corners[0, 0])
        return tf.cast(tf.concat([side, corners[0, 0] + 0.5 - side / 4], axis=0), tf.int32)

    boxes = {tuple(row) for row in draw_many(drawn, 800)}
    expected = set()
    for side in (16, 8):
        offsets = transform.candidate_offsets(16 - side, 24 - side).numpy().tolist()
        expected |= {(side, side, y, x) for x, y in offsets}
    assert boxes == expected


@pytest.mark.parametrize("chosen, snapped", [(226, 224), (222, 224), (227, 227), (221, 221)])
def test_a_side_close_to_the_output_size_snaps_to_it(chosen, snapped):
    transform = MultiScaleCrop(224, scales=(1.0,))
    _, _, *size = transform.box(chosen, chosen + 4, (0, 1))
    fits = snapped <= chosen
    # Frames of 222 rows cannot contain a box of 224.
    assert [int(side) for side in size] == [snapped if fits else chosen, snapped]


def test_each_side_snaps_to_its_output_size():
    transform = MultiScaleCrop((100, 120), scales=(1.0,))
    assert transform.snapped(tf.constant([118, 118]), 200, 200).numpy().tolist() == [120, 118]
    assert transform.snapped(tf.constant([102, 101]), 200, 200).numpy().tolist() == [102, 100]


def test_multi_scale_crop_anywhere():
    transform = MultiScaleCrop(4, scales=(0.5,), random_crop=True)
    clip = tf.constant(coordinates(8, 10, frames=1))
    places = draw_many(lambda seed: transform(clip, seed)[0, 0, 0])[:, 1:]
    assert {tuple(place) for place in places} == {(y, x) for y in range(5) for x in range(7)}


def test_random_resized_crop_stays_in_its_ranges():
    transform = RandomResizedCrop(4, area_range=(0.1, 0.4), aspect_ratio_range=(0.5, 2.0))
    boxes = draw_many(lambda seed: tf.stack(transform.box(200, 200, seed)), 1500)
    top, left, height, width = boxes.T
    assert min(top.min(), left.min()) == 0
    assert (top + height).max() == 200
    assert (left + width).max() == 200
    areas, ratios = height * width / 40000, width / height
    assert areas.min() == pytest.approx(0.1, abs=0.01)
    assert areas.max() == pytest.approx(0.4, abs=0.01)
    assert ratios.min() == pytest.approx(0.5, abs=0.03)
    assert ratios.max() == pytest.approx(2.0, abs=0.06)
    assert np.quantile(ratios, 0.5) == pytest.approx(1.0, abs=0.1)


def test_random_resized_crop_falls_back_to_the_middle_square():
    transform = RandomResizedCrop(4, area_range=(0.9, 1.0), aspect_ratio_range=(3.0, 4.0))
    boxes = draw_many(lambda seed: tf.stack(transform.box(30, 20, seed)), 50)
    assert np.unique(boxes, axis=0).tolist() == [[5, 0, 20, 20]]


def test_random_resized_crop_resizes_its_box():
    clip = np.random.default_rng(0).integers(256, size=(2, 30, 40, 3), dtype=np.uint8)
    transform = RandomResizedCrop((12, 9))
    top, left, height, width = (int(side) for side in transform.box(30, 40, (1, 2)))
    cut = tf.image.resize(clip[:, top : top + height, left : left + width], (12, 9))
    np.testing.assert_allclose(run(transform, clip, (1, 2)), cut, atol=0.51)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CenterCrop(0), "size=0"),
        (lambda: RandomCrop(2.5), "size=2.5"),
        (lambda: RandomResizedCrop(4, area_range=(0, 1)), r"area_range=\(0, 1\)"),
        (lambda: RandomResizedCrop(4, aspect_ratio_range=(2, 1)), r"aspect_ratio_range=\(2, 1\)"),
        (lambda: MultiScaleCrop(4, scales=()), r"scales=\(\)"),
        (lambda: MultiScaleCrop(4, scales=(1.2,)), r"scales=\(1.2,\)"),
        (lambda: MultiScaleCrop(4, max_wh_scale_gap=-1), "max_wh_scale_gap=-1"),
        (lambda: MultiScaleCrop(4, num_fixed_crops=9), "num_fixed_crops=9"),
        (lambda: CenterCrop(4)(tf.zeros([8, 8, 3])), r"shape \(8, 8, 3\), expected \(frames"),
    ],
)
def test_arguments_out_of_range_are_rejected(make, message):
    with pytest.raises(ValueError, match=message):
        make()
