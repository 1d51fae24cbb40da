import dataclasses

import keras
import pytest

from keras_video import zoo
from keras_video.layers.freezing import batch_norms
from keras_video.zoo.small_data import changed_settings, has_batch_norms

EXAMPLE = zoo.row("tsn_r18_1x1x4_moving_shapes")


def test_changed_settings_are_listed():
    small = zoo.for_small_data(EXAMPLE)
    assert changed_settings(EXAMPLE, small) == [
        "loss.label_smoothing: 0.0 -> 0.1",
        "norm.eval_mode: False -> True",
    ]
    scratch = zoo.for_small_data(EXAMPLE, pretrained=False)
    assert changed_settings(EXAMPLE, scratch) == ["loss.label_smoothing: 0.0 -> 0.1"]


def test_a_row_keeps_stronger_settings():
    loss = dataclasses.replace(EXAMPLE.loss, label_smoothing=0.2)
    row = dataclasses.replace(EXAMPLE, loss=loss, norm=zoo.Norm(partial=True))
    assert changed_settings(row, zoo.for_small_data(row)) == []


def test_frozen_statistics_are_not_recomputed():
    rows = [row for row in zoo.rows() if row.multigrid or row.precise_bn]
    assert rows
    for row in rows:
        small = zoo.for_small_data(row)
        assert small.norm.eval_mode and small.multigrid is None and small.precise_bn is None


def test_networks_without_norms_freeze_none():
    row = zoo.row("videomae_8x2x1_moving_shapes")
    assert changed_settings(row, zoo.for_small_data(row)) == ["loss.label_smoothing: 0.0 -> 0.1"]


@pytest.mark.slow
def test_which_networks_have_norms():
    for row in zoo.rows(kind="example"):
        keras.backend.clear_session()
        assert has_batch_norms(row) == bool(batch_norms(row.model())), row.name
