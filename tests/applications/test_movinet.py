"""MoViNet, base and stream variants, compared with the TensorFlow Model Garden."""

import sys

import keras
import numpy as np
import pytest

import keras_video
from keras_video.applications import MoViNet
from keras_video.applications.movinet import VARIANTS
from keras_video.weights.dialects import movinet as dialect
from tests import modern_reference, reference

FORMS = {"base": False, "stream": True}

# Millions including norm statistics, as counted for the Model Garden's networks (rounded).
MILLIONS = {
    ("a0", "base"): 3.1,
    ("a1", "base"): 4.7,
    ("a2", "base"): 5.3,
    ("a3", "base"): 7.4,
    ("a4", "base"): 11.4,
    ("a5", "base"): 18.8,
    ("a0", "stream"): 3.8,
    ("a1", "stream"): 6.5,
    ("a2", "stream"): 7.4,
    ("a3", "stream"): 11.0,
    ("a4", "stream"): 18.2,
    ("a5", "stream"): 31.6,
}


@pytest.mark.parametrize("form", FORMS)
def test_equals_the_original(form, tmp_path):
    name = f"movinet_a0_{form}"
    layers = {
        output["name"]: output["name"] for output in modern_reference.load(name).facts["taps"]
    }
    layers |= {"stem": "stem_bn_act", "head": "head_pool"}
    model = modern_reference.assert_equals_the_original(
        name, MoViNet, tmp_path, layers, stream=FORMS[form]
    )
    facts = modern_reference.load(name).facts
    assert model.count_params() == facts["parameter_count"] + facts["buffer_count"]


@pytest.mark.parametrize("form", FORMS)
def test_a_checkpoint_identifies_size_and_stream_variant(form, tmp_path):
    case = modern_reference.load(f"movinet_a0_{form}")
    path = case.write(tmp_path)
    shape = case.clips().shape[1:]
    model = keras_video.load(path, input_shape=shape, classifier_activation=None)
    assert model.name == "movinet" and model.output_shape == (None, 600)
    logits = keras.ops.convert_to_numpy(model(case.clips()))
    reference.assert_logits_equal(logits, case.logits)


def test_kernels_of_training_become_those_of_inference(tmp_path):
    """The stream variant is trained with 3D kernels, whose axes of size 1 are dropped here."""
    case = modern_reference.load("movinet_a0_stream")
    state = {}
    for name, array in case.weights().items():
        name = name.replace("/_conv/_conv/", "/_conv/").replace("_temporal/_conv/", "_temporal/")
        name = name.replace("depthwise_kernel", "kernel")
        if "_conv_temporal" in name:
            array = array.swapaxes(-1, -2)[:, :, None]
        elif "_feature/_conv" in name:
            array = array.swapaxes(-1, -2)[None]
        elif array.ndim == 4:
            array = array[None]
        state[name] = array
    modern_reference.save_tensorflow(tmp_path / "ckpt", state)
    clips = case.clips()
    model = keras_video.load(
        tmp_path / "ckpt", input_shape=clips.shape[1:], classifier_activation=None
    )
    reference.assert_logits_equal(model(clips), case.logits)


@pytest.mark.slow
@pytest.mark.parametrize(("variant", "form"), MILLIONS)
def test_variants_have_the_published_parameters(variant, form):
    model = MoViNet(variant=variant, stream=FORMS[form], input_shape=(2, 32, 32, 3))
    assert round(model.count_params() / 1e6, 1) == MILLIONS[variant, form]
    row = keras_video.zoo.row(f"movinet_{variant}_{form}")
    assert reference.learned(model) == row.parameters
    positions = sum(layer.name.endswith("_pos_enc") for layer in model.layers)
    numbered = form == "stream" and variant in ("a3", "a4", "a5")
    assert positions == (sum(map(len, VARIANTS[variant].kernels)) if numbered else 0)


def test_the_dialect_knows_the_stages_of_every_variant():
    stages = tuple(tuple(map(len, facts.kernels)) for facts in VARIANTS.values())
    assert stages == dialect.STAGES
    for facts in VARIANTS.values():
        assert [*map(len, facts.expansions)] == [*map(len, facts.kernels)]


@pytest.mark.slow
def test_every_variant_can_be_read(tmp_path):
    """A checkpoint of the A3 stream variant, with keys derived from the layer names."""
    model = MoViNet(variant="a3", stream=True, classes=7, input_shape=(2, 32, 32, 3))
    rng = np.random.default_rng(0)
    for variable in model.weights:
        variable.assign(rng.uniform(0.5, 1.5, variable.shape))
    modern_reference.save_tensorflow(tmp_path / "ckpt", garden_state(model, "a3"))
    loaded = keras_video.load(tmp_path / "ckpt", input_shape=(2, 32, 32, 3))
    for ours, theirs in zip(loaded.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def garden_state(model, variant):
    """The variables of a stream model by the Model Garden's keys and in its shapes."""
    blocks = [
        f"block{s}_layer{i}" for s, k in enumerate(VARIANTS[variant].kernels) for i in range(len(k))
    ]
    places = {name: number for number, name in enumerate(["stem", *blocks, "head"])}
    parts = {
        "pos_enc": "_attention/_pos_encoding/_rezero",
        "rezero": "_mobile_bottleneck/_rezero",
        "se_reduce": "_attention/_se_reduce/_conv/_conv",
        "se_expand": "_attention/_se_expand/_conv/_conv",
        "feature_conv_temporal": "_feature/_conv_temporal/_conv",
        "feature_bn_temporal": "_feature/_batch_norm_temporal",
    }
    state = {}
    for variable in model.weights:
        layer, leaf = variable.path.split("/")
        value = keras.ops.convert_to_numpy(variable)
        depthwise = "_feature_conv" in layer
        if layer in ("fc1", "fc_cls"):
            key = f"layer_with_weights-1/{'_head' if layer == 'fc1' else '_classifier'}/_conv/_conv"
            value = value[None, None] if leaf == "kernel" else value
        else:
            owner = max((name for name in places if layer.startswith(f"{name}_")), key=len)
            part = layer.removeprefix(f"{owner}_")
            if owner in ("stem", "head"):
                part = f"{'stem' if owner == 'stem' else 'project'}_{part}"
            if part in parts:
                part = parts[part]
            else:
                module, _, kind = part.rpartition("_")
                module = "_skip/_projection" if module == "skip" else f"_{module}"
                part = f"{module}/{'_conv/_conv' if kind == 'conv' else '_batch_norm'}"
            key = f"layer_with_weights-0/layer_with_weights-{places[owner]}/{part}"
        leaf = "depthwise_kernel" if depthwise and leaf == "kernel" else leaf
        state[f"model/{key}/{leaf}{dialect.SUFFIX}"] = value
    return state


def test_the_longest_network_is_within_pythons_recursion():
    """Keras follows graphs recursively; user code may have used some of the limit."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(600)
    try:
        MoViNet(variant="a5", stream=True, input_shape=(2, 32, 32, 3))
    finally:
        sys.setrecursionlimit(limit)


def test_stochastic_depth_grows_with_the_blocks():
    model = MoViNet(drop_path=0.3, input_shape=(2, 32, 32, 3))
    rates = [layer.rate for layer in model.layers if layer.name.endswith("_drop_path")]
    np.testing.assert_allclose(rates, [0.3 * n / 15 for n in range(1, 16)])


@pytest.mark.slow(every_change=True)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("pooling", "shape"), [(None, (None, 4, 2, 1, 480)), ("avg", (None, 480)), ("max", (None, 480))]
)
def test_features(form, pooling, shape):
    model = MoViNet(
        include_top=False, pooling=pooling, stream=FORMS[form], input_shape=(4, 40, 32, 3)
    )
    assert model.output_shape == shape
    x = np.random.default_rng(0).random((2, 4, 40, 32, 3), "float32")
    assert np.isfinite(keras.ops.convert_to_numpy(model(x))).all()


def test_a_frame_does_not_depend_on_later_ones():
    model = MoViNet(include_top=False, stream=True, input_shape=(4, 32, 32, 3))
    for layer in model.layers:
        if layer.name.endswith("_rezero"):
            layer.scale.assign(0.5)
    x = np.random.default_rng(0).random((1, 4, 32, 32, 3), "float32")
    before = keras.ops.convert_to_numpy(model(x))
    x[:, 2] = 0
    after = keras.ops.convert_to_numpy(model(x))
    np.testing.assert_array_equal(before[:, :2], after[:, :2])
    assert (np.abs(before - after)[:, 2:].max((0, 2, 3, 4)) > 1e-4).all()


def test_unknown_variants_are_rejected():
    with pytest.raises(ValueError, match="variant='a6': expected one of a0, a1, a2, a3, a4, a5"):
        MoViNet(variant="a6")
