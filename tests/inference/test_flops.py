import json
import logging

import keras
import pytest
from keras import layers

from keras_video import applications, zoo
from keras_video.inference import count_flops, winograd_model
from keras_video.zoo.zoo_row import MMACTION2
from tests.applications import families

# Published figures for another network or other frames than the row's, and what they refer to.
STALE = {
    "t33_r01": "of 8 frames, copied from the row of 8; the row takes 16",
    "t39_r01": "of 8 frames, copied from the row of 8; the row takes 16",
    "t41_r02": "of 8 frames; the row is tested with 80, trained with 5",
    "t41_r11": "of the 8 frames of training; the row is tested with 80",
    "t41_r13": "of the 8 frames of training; the row is tested with 80",
}


def total(model, shape=None):
    return count_flops(model, shape).total


def test_layers_of_known_cost():
    clip = keras.Input((None, 8, 8, 3))
    x = layers.Conv3D(4, (3, 1, 1), padding="same")(clip)  # 2*64 positions, 4*9 weights each
    x = layers.BatchNormalization()(x)
    x = layers.ReLU()(x)
    x = layers.GlobalAveragePooling3D()(x)
    cost = total(keras.Model(clip, layers.Dense(5, activation="relu")(x)), (2, 8, 8, 3))
    elements = 2 * 64 * 4
    assert cost.convolution == elements * 9 + elements
    assert cost.norm == 2 * elements
    assert cost.relu == elements + 5
    assert cost.pooling == elements
    assert cost.dense == 20
    assert cost.activations == elements + 5
    assert cost.product == 0
    assert cost.multiply_adds == cost.convolution + cost.dense
    assert cost.published == 10 * elements + 20 + 2 * elements + elements + 5 + elements


def test_winograd_needs_half_the_multiplications():
    clip = keras.Input((5, 8, 6, 64))
    plain = keras.Model(clip, layers.Conv3D(64, 3, padding="same", use_bias=True)(clip))
    with families.small_ones_filtered():
        before, after = total(plain), total(winograd_model(plain))
    bias = 5 * 8 * 6 * 64
    assert 2 * (after.convolution - bias) == before.convolution - bias
    assert after.product == 5 * 6 * 64 * (6 * 2) * 8  # a matrix of 12 x 8 per height position
    assert after.activations == before.activations


def test_attention_counts_products_of_tensors():
    joint = families.build("timesformer", attention="joint_space_time")
    divided = families.build("timesformer")
    tokens, width = 4 * 4 + 1, 32
    assert total(joint).product == 2 * 2 * tokens * tokens * width
    time, space = (16 + 4) * 4, 4 * 5 * 5  # the class token of every frame also attends over time
    assert total(divided).product == 2 * 2 * (time + space) * width


@pytest.mark.parametrize("name", ["tsn", "tsm", "x3d", "tpn"])
def test_twice_the_frames_cost_twice_as_much(name):
    frames, *image = families.input_shape(name)
    if name == "tpn":
        image = [64, 64, 3]
    costs = [
        total(families.build(name, input_shape=(count, *image))) for count in (frames, 2 * frames)
    ]
    once, twice = (cost.multiply_adds - cost.dense for cost in costs)
    assert twice == pytest.approx(2 * once, rel=0.06)


def test_a_nested_model_counts_as_its_layers():
    image = keras.Input((32, 32, 3))
    body = keras.Model(image, layers.Conv2D(8, 3, 2)(image), name="body")
    model = applications.TSN(backbone=body, input_shape=(3, 32, 32, 3), classes=2)
    assert total(model).convolution == 3 * 15 * 15 * 8 * (27 + 1)


def test_unknown_axes_need_a_shape():
    model = families.build("slowonly", input_shape=(None, None, None, 3))
    assert total(model, (4, 32, 32, 3)) == total(families.build("slowonly"))
    with pytest.raises(ValueError, match="input_shape=None"):
        count_flops(model)
    with pytest.raises(ValueError, match="functional"):
        count_flops(keras.Sequential([layers.Dense(2)]))


def test_unknown_layers_are_named(caplog):
    @keras.saving.register_keras_serializable("tests")
    class Odd(layers.Layer):
        def build(self, shape):
            self.factor = self.add_weight(shape=(), name="factor")

        def call(self, x):
            return x * self.factor

    x = keras.Input((4,))
    with caplog.at_level(logging.WARNING):
        count = count_flops(keras.Model(x, Odd(name="odd_one")(x)))
    assert count.unknown == ["odd_one"]
    assert "odd_one" in caplog.text


def test_timesformer_matches_the_paper():
    # arXiv:2102.05095, table 4: 0.59 TFLOPs for three crops of 8 x 224 x 224.
    model = zoo.row("timesformer_divST_8x32x1_15e_kinetics400_rgb").model()
    assert total(model).multiply_adds == pytest.approx(0.59e12 / 3, rel=0.01)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("torchvision/mvit_v1_b/KINETICS400_V1", 70.599e9),
        ("torchvision/mvit_v2_s/KINETICS400_V1", 64.224e9),
        ("mmaction2-1.2/swin-tiny-p244-w877_in1k-pre_8xb8-amp-32x2x1-30e_kinetics400-rgb", 88e9),
        ("mmaction2-1.2/uniformer-small_imagenet1k-pre_16x4x1_kinetics400-rgb", 41.8e9),
    ],
)
def test_hierarchical_transformers_match_the_published_costs(name, published):
    count = count_flops(zoo.row(name).model())
    assert count.total.multiply_adds == pytest.approx(published, rel=0.01)
    assert not count.unknown


def stated():
    """Rows that state a number of operations, grouped by network."""
    groups = {}
    for row in (row for row in zoo.rows() if row.origin == MMACTION2):
        if row.flops and row.constructor:
            key = (row.constructor, json.dumps(dict(row.arguments), default=str), row.classes)
            groups.setdefault((*key, row.input_shape[-1]), []).append(row)
    return list(groups.values())


def counted(row, model):
    """Operations at the sizes of published figures: the row's own, 224 and 256 pixels."""
    if row.constructor == "C3D":
        return [total(model).published]
    frames = row.views.frames if row.views else row.input_shape[0]
    sizes = {row.input_shape[1], row.test_input_shape[1], 224, 256}
    shapes = [(frames, size, size, row.input_shape[-1]) for size in sorted(sizes)]
    return [total(model, shape).published for shape in shapes]


@pytest.mark.slow
@pytest.mark.parametrize("rows", stated(), ids=lambda rows: rows[0].name)
def test_counts_match_the_zoo_within_one_percent(rows):
    networks = {}
    for row in rows:
        frames = row.views.frames if row.views else row.input_shape[0]
        if frames not in networks:
            shape = (frames, None, None, row.input_shape[-1])
            shape = row.input_shape if row.constructor == "C3D" else shape
            networks = {frames: row.model(input_shape=shape)}
        off = min(abs(count / row.flops - 1) for count in counted(row, networks[frames]))
        if row.id in STALE:
            assert off > 0.01, f"{row.id}: {STALE[row.id]}, but the count agrees"
        else:
            assert off <= 0.01, f"{row.id} ({row.name}) states {row.flops / 1e9} G, off by {off}"


def test_rows_whose_figure_is_stale_exist():
    assert set(STALE) <= {row.id for rows in stated() for row in rows}
