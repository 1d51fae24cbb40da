import json
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_video.layers import BatchNormalization, conv_bn
from keras_video.layers.sub_batch_norm import (
    SubBatchNormalization,
    join_batch_norms,
    split_batch_norms,
    splits_for,
)
from tests.layers.compare import close

pytestmark = pytest.mark.unit

FIXTURE = Path(__file__).parent.parent / "fixtures" / "data" / "sub_batch_norm.json"
RECORDS = json.loads(FIXTURE.read_text())["records"]


def channels_last(values):
    return np.moveaxis(np.array(values, "float32"), 1, -1)


@pytest.mark.parametrize("record", RECORDS, ids=lambda r: str(r["arguments"]["num_splits"]))
def test_equals_the_original(record):
    arguments, inputs, expected = record["arguments"], record["input"], record["output"]
    layer = SubBatchNormalization(arguments["num_splits"])
    x = channels_last(inputs["x"])
    layer.build(x.shape)
    layer.gamma.assign(inputs["scale"])
    layer.beta.assign(inputs["offset"])
    close(layer(x, training=True), channels_last(expected["training_output"]), 1e-5)
    shape = layer.split_mean.shape
    close(layer.split_mean, np.reshape(expected["split_running_mean"], shape), 1e-6)
    close(layer.split_variance, np.reshape(expected["split_running_var"], shape), 1e-6)
    close(layer.moving_mean, expected["running_mean"], 1e-6)
    close(layer.moving_variance, expected["running_var"], 1e-6)
    close(layer(x, training=False), channels_last(expected["inference_output"]), 1e-5)


def test_parts_are_independent():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4, 2, 3, 3, 2)).astype("float32")
    other = x.copy()
    other[1::2] += 10
    layer = SubBatchNormalization(2)
    first = keras.ops.convert_to_numpy(layer(x, training=True))
    second = keras.ops.convert_to_numpy(layer(other, training=True))
    np.testing.assert_allclose(first[::2], second[::2], atol=1e-6)


def small_model():
    inputs = keras.Input((2, 8, 8, 3))
    x = conv_bn(inputs, 4, (1, 3, 3), name="conv1")
    x = keras.layers.GlobalAveragePooling3D()(x)
    return keras.Model(inputs, keras.layers.Dense(2, name="fc_cls")(x), name="small")


def test_a_model_trains_split_and_is_joined_again():
    model = small_model()
    clips = np.random.default_rng(0).normal(size=(4, 2, 8, 8, 3)).astype("float32")
    split = split_batch_norms(model, 2)
    assert split.get_layer("conv1_bn").splits == 2
    close(split(clips), model(clips), 1e-6)
    split.compile("sgd", "mse")
    split.fit(clips, np.zeros((4, 2)), batch_size=4, verbose=0)
    statistics = keras.ops.convert_to_numpy(split.get_layer("conv1_bn").split_mean)
    assert np.abs(statistics[0] - statistics[1]).max() > 0
    whole = split_batch_norms(split, 1)
    close(whole(clips), split(clips), 1e-6)


def test_is_restored_from_a_file(tmp_path):
    split = split_batch_norms(small_model(), 2)
    clips = np.random.default_rng(0).normal(size=(2, 2, 8, 8, 3)).astype("float32")
    split.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    close(loaded(clips), split(clips), 1e-6)
    assert loaded.get_layer("conv1_bn").splits == 2


def test_number_of_parts():
    assert [splits_for(size, 8) for size in (8, 16, 64, 4)] == [1, 2, 8, 1]
    with pytest.raises(ValueError, match="9 clips"):
        splits_for(9, 8)
    with pytest.raises(ValueError, match="splits=0"):
        SubBatchNormalization(0)


def test_joined_norms_are_plain_and_equivalent():
    split = split_batch_norms(small_model(), 2)
    clips = np.random.default_rng(0).normal(size=(2, 2, 8, 8, 3)).astype("float32")
    plain = join_batch_norms(split)
    assert type(plain.get_layer("conv1_bn")) is BatchNormalization
    close(plain(clips), split(clips), 1e-6)
