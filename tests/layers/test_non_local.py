import keras
import numpy as np
import pytest
from keras import ops

from keras_video.layers.non_local import non_local
from tests.layers.compare import close

pytestmark = pytest.mark.unit


def block(mode, *, sub_sample=True, use_scale=False, shape=(2, 4, 6, 4)):
    keras.utils.set_random_seed(1)
    inputs = keras.Input(shape)
    outputs = non_local(inputs, mode=mode, use_scale=use_scale, sub_sample=sub_sample, name="nl")
    model = keras.Model(inputs, outputs)
    for variable in model.weights:
        if variable.name in ("gamma", "bias", "beta"):
            variable.assign(np.random.default_rng(3).normal(size=variable.shape))
    return model


def expected(model, x, mode, *, sub_sample, use_scale):
    """The paper's formula, position by position, from the model's own kernels."""

    def project(name, x):
        kernel, *bias = model.get_layer(name).get_weights()
        return x @ kernel.reshape(kernel.shape[-2:]) + (bias[0] if bias else 0)

    def flat(x):
        return x.reshape(len(x), -1, x.shape[-1])

    def sample(x):
        n, t, h, w, c = x.shape
        return x.reshape(n, t, h // 2, 2, w // 2, 2, c).max((3, 5)) if sub_sample else x

    index = "_0" if sub_sample else ""
    values = flat(sample(project(f"nl_g{index}_conv", x)))
    queries = flat(x if mode == "gaussian" else project("nl_theta_conv", x))
    keys = flat(sample(x if mode == "gaussian" else project(f"nl_phi{index}_conv", x)))
    weights = np.einsum("nqc,nkc->nqk", queries, keys)
    if mode == "dot_product":
        weights = weights / keys.shape[1]
    else:
        weights = weights / np.sqrt(keys.shape[-1]) if use_scale else weights
        weights = np.exp(weights - weights.max(-1, keepdims=True))
        weights = weights / weights.sum(-1, keepdims=True)
    attended = project("nl_conv_out_conv", np.einsum("nqk,nkc->nqc", weights, values))
    gamma, beta, mean, variance = model.get_layer("nl_conv_out_bn").get_weights()
    attended = (attended - mean) / np.sqrt(variance + 1e-5) * gamma + beta
    return x + attended.reshape(x.shape)


@pytest.mark.parametrize(
    ("mode", "sub_sample", "use_scale"),
    [
        ("embedded_gaussian", True, False),
        ("embedded_gaussian", True, True),
        ("embedded_gaussian", False, False),
        ("gaussian", True, False),
        ("dot_product", True, False),
    ],
)
def test_equals_the_formula_of_the_paper(mode, sub_sample, use_scale):
    model = block(mode, sub_sample=sub_sample, use_scale=use_scale)
    x = np.random.default_rng(0).normal(size=(3, 2, 4, 6, 4)).astype("float32")
    theirs = expected(model, x, mode, sub_sample=sub_sample, use_scale=use_scale)
    close(model(x), theirs, 1e-5)


def test_scale_belongs_to_the_embedded_gaussian_only():
    x = np.random.default_rng(0).normal(size=(1, 2, 4, 6, 4)).astype("float32")
    close(block("gaussian", use_scale=True)(x), block("gaussian")(x), 1e-6)


def test_a_new_block_changes_nothing():
    inputs = keras.Input((2, 4, 4, 6))
    model = keras.Model(inputs, non_local(inputs, name="nl"))
    x = np.random.default_rng(0).normal(size=(1, 2, 4, 4, 6)).astype("float32")
    assert np.array_equal(ops.convert_to_numpy(model(x)), x)


def test_layer_names_are_those_of_checkpoints():
    names = {variable.path for variable in block("embedded_gaussian").trainable_variables}
    expected_names = {f"nl_{part}_conv/{leaf}" for part in ("g_0", "theta", "phi_0")
                      for leaf in ("kernel", "bias")}  # fmt: skip
    expected_names |= {"nl_conv_out_conv/kernel", "nl_conv_out_bn/gamma", "nl_conv_out_bn/beta"}
    assert names == expected_names
    kept = {name for name in expected_names if "theta" not in name and "phi" not in name}
    assert {variable.path for variable in block("gaussian").trainable_variables} == kept


def test_frames_and_size_may_be_unknown():
    open_model, fixed = block("dot_product", shape=(None, None, None, 4)), block("dot_product")
    open_model.set_weights(fixed.get_weights())
    x = np.random.default_rng(0).normal(size=(2, 2, 4, 6, 4)).astype("float32")
    close(open_model(x), fixed(x), 1e-6)


def test_an_unknown_mode_is_named():
    with pytest.raises(ValueError, match="concatenation"):
        block("concatenation")


def test_pooling_comes_before_the_projections():
    """Against the sum over positions, written out."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1, 2, 4, 4, 6)).astype("float32")
    inputs = keras.Input(x.shape[1:])
    options = {"use_scale": True, "pool_first": True, "output_bias": True}
    model = keras.Model(inputs, non_local(inputs, name="nl", **options))
    model.set_weights([rng.normal(size=w.shape) ** 2 + 0.1 for w in model.get_weights()])

    def project(positions, part):
        layer = model.get_layer(f"nl_{part}_conv")
        kernel = np.array(layer.kernel)[0, 0, 0]
        return positions.reshape(-1, positions.shape[-1]) @ kernel + np.array(layer.bias)

    pooled = x.reshape(2, 2, 2, 2, 2, 6).max(axis=(2, 4))
    queries, keys, values = project(x, "theta"), project(pooled, "phi"), project(pooled, "g")
    scores = queries @ keys.T / np.sqrt(3)
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    attended = weights / weights.sum(axis=1, keepdims=True) @ values
    out, norm = project(attended, "conv_out"), model.get_layer("nl_conv_out_bn")
    scale = np.array(norm.gamma) / np.sqrt(np.array(norm.moving_variance) + 1e-5)
    out = (out - np.array(norm.moving_mean)) * scale + np.array(norm.beta)
    np.testing.assert_allclose(model(x), x + out.reshape(x.shape), rtol=1e-4, atol=1e-4)
