import keras
import numpy as np
import pytest
from keras import layers

import keras_video
from keras_video.applications.tsn import TSN
from tests import reference

CLIPS = np.random.default_rng(0).normal(size=(4, 3, 32, 32, 3)).astype("float32")


def image_model(pooling=None):
    inputs = keras.Input((32, 32, 3))
    x = layers.Conv2D(8, 3, 4, activation="relu")(inputs)
    x = layers.GlobalAveragePooling2D()(x) if pooling else x
    return keras.Model(inputs, x, name="own_net")


@pytest.mark.slow(every_change=True)
@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        ({"backbone": "resnext101_32x4d"}, 42948304),
        ({"backbone": "densenet161"}, 27355600),
        ({"backbone": "swin_base"}, 87153224),
        ({"backbone": "resnet101", "classes": 313}, 43141497),
        ({"backbone": "resnet18", "classes": 739}, 11555619),
        ({"input_shape": (8, 64, 64, 10)}, 24349584),
        ({"input_shape": (8, 64, 64, 10), "classes": 200}, 23939784),
    ],
    ids=str,
)
def test_parameter_counts(arguments, count):
    assert reference.learned(TSN(**{"input_shape": (3, 64, 64, 3), **arguments})) == count


@pytest.mark.parametrize("pooling", [None, "avg"])
def test_any_image_model_is_averaged_over_frames(pooling):
    backbone = image_model(pooling)
    model = TSN(backbone=backbone, segments=3, classes=2, classifier_activation=None)
    assert model.input_shape == (None, 3, 32, 32, 3)
    features = backbone(CLIPS.reshape(-1, 32, 32, 3))
    features = keras.ops.convert_to_numpy(features).reshape(4, -1, 8).mean(axis=1)
    dense = model.get_layer("fc_cls")
    expected = features @ keras.ops.convert_to_numpy(dense.kernel)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(model(CLIPS)), expected, atol=1e-5)


def test_an_image_model_is_trained_end_to_end():
    keras.utils.set_random_seed(0)
    backbone = image_model()
    before = [value.copy() for value in backbone.get_weights()]
    model = TSN(backbone=backbone, input_shape=(3, 32, 32, 3), classes=2, dropout=0)
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.fit(CLIPS, np.array([0, 1, 0, 1]), epochs=1, verbose=0)
    for old, new in zip(before, backbone.get_weights(), strict=True):
        assert np.abs(old - new).max() > 0


@pytest.mark.parametrize("body", [keras.applications.MobileNetV3Small], ids=lambda b: b.__name__)
def test_keras_applications_save_and_load(body, tmp_path):
    backbone = body(include_top=False, weights=None, input_shape=(32, 32, 3))
    model = TSN(backbone=backbone, segments=3, classes=2)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    scores = keras.ops.convert_to_numpy(model(CLIPS))
    np.testing.assert_allclose(keras.ops.convert_to_numpy(loaded(CLIPS)), scores, atol=1e-6)
    assert scores.shape == (4, 2)


def test_features_of_an_image_model():
    options = {"include_top": False, "segments": 3}
    assert TSN(backbone=image_model(), **options).output_shape == (None, 3, 8, 8, 8)
    assert TSN(backbone=image_model("avg"), **options).output_shape == (None, 3, 1, 1, 8)
    assert TSN(backbone=image_model(), pooling="max", **options).output_shape == (None, 8)


def tokens_model(classes=()):
    """A stand-in for vision transformers: outputs `(n, 64, 6)` or a dictionary with it."""
    inputs = keras.Input((32, 32, 3))
    tokens = layers.Reshape((-1, 6))(layers.Conv2D(6, 4, 4, activation="relu")(inputs))
    outputs = dict.fromkeys(classes, tokens) or tokens
    return keras.Model(inputs, outputs, name="tokens")


def video_model(shape):
    """A stand-in for video transformers: features of this shape after the batch axis."""
    inputs = keras.Input((4, 32, 32, 3))
    x = layers.Conv3D(6, (1, 16, 16), (1, 16, 16), activation="relu")(inputs)
    x = layers.GlobalAveragePooling3D()(x) if shape == (6,) else layers.Reshape(shape)(x)
    return keras.Model(inputs, x, name="video_body")


def test_tokens_are_averaged_over_frames():
    backbone = tokens_model()
    model = TSN(backbone=backbone, segments=3, classes=2, classifier_activation=None)
    features = keras.ops.convert_to_numpy(backbone(CLIPS.reshape(-1, 32, 32, 3)))
    features = features.reshape(4, -1, 6).mean(axis=1)
    expected = features @ keras.ops.convert_to_numpy(model.get_layer("fc_cls").kernel)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(model(CLIPS)), expected, atol=1e-5)
    assert TSN(backbone=backbone, include_top=False, segments=3).output_shape == (
        *(None, 3, 64, 1, 6),
    )


VIDEO_SHAPES = [(4, 2, 2, 6), (4, 4, 6), (16, 6), (6,)]
VIDEO_CLIPS = np.random.default_rng(1).normal(size=(2, 4, 32, 32, 3)).astype("float32")


@pytest.mark.parametrize("shape", VIDEO_SHAPES, ids=str)
def test_a_video_model_receives_the_whole_clip(shape):
    backbone = video_model(shape)
    model = TSN(backbone=backbone, classes=2, classifier_activation=None)
    assert model.input_shape == (None, 4, 32, 32, 3)
    features = keras.ops.convert_to_numpy(backbone(VIDEO_CLIPS)).reshape(2, -1, 6).mean(1)
    expected = features @ keras.ops.convert_to_numpy(model.get_layer("fc_cls").kernel)
    scores = keras.ops.convert_to_numpy(model(VIDEO_CLIPS))
    np.testing.assert_allclose(scores, expected, atol=1e-5)


@pytest.mark.slow(every_change=True)
@pytest.mark.parametrize("head", ["mean", "attentive", "trn"])
@pytest.mark.parametrize("make", [image_model, tokens_model], ids=lambda build: build.__name__)
def test_heads_train_on_a_frozen_body_and_are_saved(make, head, tmp_path):
    keras.utils.set_random_seed(0)
    backbone = make()
    backbone.trainable = False
    before = backbone.get_weights()
    model = TSN(backbone=backbone, segments=3, classes=2, dropout=0, head=head, hidden_dim=8)
    model.compile(keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy")
    losses = model.fit(CLIPS, np.array([0, 1, 0, 1]), epochs=10, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    assert all(np.array_equal(*pair) for pair in zip(before, backbone.get_weights(), strict=True))
    model.save(tmp_path / "model.keras")
    loaded = keras_video.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded(CLIPS), model(CLIPS), atol=1e-6)


def test_only_relations_depend_on_frame_order():
    for head, ordered in (("mean", False), ("attentive", False), ("trn", True)):
        keras.utils.set_random_seed(0)
        model = TSN(backbone=image_model(), segments=3, classes=2, head=head, dropout=0)
        kernel = model.get_layer("fc_cls").kernel
        kernel.assign(100 * kernel)
        change = keras.ops.convert_to_numpy(model(CLIPS) - model(CLIPS[:, ::-1]))
        assert (np.abs(change).max() > 1e-4) == ordered, head


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"head": "average"}, "head='average': expected one of mean, attentive, trn"),
        ({"head": "trn", "input_shape": (None, 32, 32, 3)}, "any number of frames"),
        ({"head": "trn", "segments": 1}, "1 frames, expected at least 2"),
        ({"backbone": video_model((6,)), "head": "trn"}, "1 frames, expected at least 2"),
        ({"backbone": "resnet50", "head": "attentive", "weights": "kinetics400"}, "attentive"),
    ],
    ids=str,
)
def test_rejects_impossible_heads(arguments, message):
    with pytest.raises(ValueError, match=message):
        TSN(**{"backbone": image_model(), **arguments})


@pytest.mark.parametrize(
    ("backbone", "message"),
    [
        ("resnet20", "backbone='resnet20'"),
        (tokens_model(("sequence", "middle")), "'tokens' returns"),
        (keras.Sequential([keras.Input((5,)), layers.Dense(2)], name="flat"), "'flat' takes"),
    ],
    ids=["name", "tokens", "flat"],
)
def test_rejects_backbones_without_features(backbone, message):
    with pytest.raises(ValueError, match=message):
        TSN(backbone=backbone)


def test_swin_needs_a_known_size():
    with pytest.raises(ValueError, match="multiples of 32"):
        TSN(backbone="swin_base", input_shape=(3, None, None, 3))
    with pytest.raises(ValueError, match="100 x 96"):
        TSN(backbone="swin_base", input_shape=(3, 100, 96, 3))


def keras_cv_backbone():
    keras_cv = pytest.importorskip("keras_cv", reason="needs the extra 'keras_cv'")
    return keras_cv.models.ResNetBackbone(
        stackwise_filters=[8, 16],
        stackwise_blocks=[1, 1],
        stackwise_strides=[1, 2],
        input_shape=(32, 32, 3),
        include_rescaling=False,
    )


def keras_hub_backbone():
    keras_hub = pytest.importorskip("keras_hub", reason="needs keras-hub")
    return keras_hub.models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[3],
        stackwise_num_filters=[64, 128],
        stackwise_num_blocks=[1, 1],
        stackwise_num_strides=[1, 2],
        block_type="basic_block",
        image_shape=(32, 32, 3),
    )


@pytest.mark.parametrize("make", [keras_cv_backbone, keras_hub_backbone], ids=lambda m: m.__name__)
def test_third_party_libraries_are_trained_end_to_end(make, tmp_path):
    keras.utils.set_random_seed(0)
    backbone = make()
    before = [variable.numpy().copy() for variable in backbone.trainable_variables]
    model = TSN(backbone=backbone, segments=3, classes=2, dropout=0)
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
    losses = model.fit(CLIPS, np.array([0, 1, 0, 1]), epochs=8, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    changed = [
        np.abs(old - new.numpy()).max() > 0
        for old, new in zip(before, backbone.trainable_variables, strict=True)
    ]
    assert all(changed)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded(CLIPS), model(CLIPS), atol=1e-6)
