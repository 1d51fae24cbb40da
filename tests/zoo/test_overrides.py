"""Rows adapted to other sizes, views and trainings."""

import pytest

from keras_video import zoo

pytestmark = pytest.mark.unit

EVERY = [
    row
    for row in (*zoo.rows(), *zoo.rows(kind="unlisted"), *zoo.rows(kind="example"))
    if row.constructor is not None
]


def test_every_row_can_be_trained():
    for row in EVERY:
        ready = zoo.trainable(row)
        assert ready.optimizer and ready.schedule and ready.epochs and ready.loss, row.id
        assert ready.batch_size_per_device or row.id == "t40_r02"
        train = ready.sampling.train
        assert train is not None
        if row.spatial is not None:
            assert ready.spatial.train.crop.size == row.input_shape[1], row.id
            frames = train.total_frames(training=True)
            stacked = row.input_shape[-1] // 2 if row.input_shape[-1] == 10 else 1
            assert frames == row.input_shape[0] * stacked, row.id
        assert (ready is row) == (row.optimizer is not None)


def test_filled_in_training_settings_are_logged(caplog):
    row = zoo.trainable(zoo.row("x3d_s_13x6x1_facebook_kinetics400_rgb"))
    assert "x3d_s_13x6x1_facebook_kinetics400_rgb) publishes no training" in caplog.text
    assert row.schedule.policy == "cosine"
    assert row.spatial.train.crop.kind == "random_resized"
    assert row.spatial.val.crop == zoo.Crop("center", 192)
    assert "Clips are made as" not in caplog.text


def test_training_logs_the_origin_of_its_clip_settings(caplog):
    row = zoo.row("t03_r01")
    zoo.trainable(row)
    assert f"Clips are made as {row.settings_from} states." in caplog.text


def test_size_scales_all_settings():
    row = zoo.resized(zoo.row("t10_r00"), 112)
    assert row.input_shape == (4, 112, 112, 3)
    assert row.spatial.train.short_side == row.spatial.val.short_side == 128
    assert row.spatial.test.crop.size == 128
    assert row.test_input_shape == (4, 128, 128, 3)
    for row in EVERY:
        if row.spatial is not None:
            assert zoo.resized(row, row.input_shape[1]).input_shape == row.input_shape


@pytest.mark.parametrize(
    "name, views, sampled",
    [
        ("t41_r00", (5, 3), {"num_clips": 5}),  # TSN: frames of one view
        ("t30_r00", (2, 3), {"num_clips": 8, "twice_sample": True}),
        ("t10_r00", (4, 1), {"num_clips": 4}),
        ("tsm_mobilenetv2_dense_1x1x8_100e_kinetics400_rgb", (3, 1), {"num_sample_positions": 3}),
    ],
)
def test_views(name, views, sampled):
    row = zoo.with_views(zoo.row(name), *views)
    for field, value in sampled.items():
        assert getattr(row.sampling.test, field) == value
    assert row.spatial.test.crop.views == views[1] == row.views.crops
    frames = row.sampling.test.total_frames(training=False)
    assert row.views.clips * row.views.frames == frames


def test_a_rows_own_views_change_nothing():
    for row in EVERY:
        if row.spatial is None or row.views.clips == 1 and row.view_frames is None:
            continue
        same = zoo.with_views(row, row.views.clips, row.views.crops)
        assert same.sampling.test == row.sampling.test, row.id
        assert same.spatial.test == row.spatial.test, row.id


def test_unsupported_views():
    with pytest.raises(ValueError, match="clips=3: .* expected 1 or 2 clips"):
        zoo.with_views(zoo.row("t30_r00"), 3, 1)
    with pytest.raises(ValueError, match="crops=4: expected .* 1, 3 or 10 crops"):
        zoo.with_views(zoo.row("t30_r00"), 1, 4)
    with pytest.raises(ValueError, match="expected .* 1 crop"):
        zoo.with_views(zoo.row("t54_r00"), 1, 3)
