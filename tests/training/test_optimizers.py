import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_video.training.optimizers import SGD, Multiplier, tsm_multipliers

FIXTURES = Path(__file__).parents[1] / "fixtures" / "data"
RATES = (0.1, 0.1, 0.01, 0.01, 0.05, 0.05)

CASES = {
    "plain": {"momentum": 0.0},
    "momentum": {"momentum": 0.9},
    "decay": {"momentum": 0.9, "weight_decay": 0.1},
    "decay without momentum": {"momentum": 0.0, "weight_decay": 0.1},
    "nesterov": {"momentum": 0.9, "weight_decay": 0.1, "nesterov": True},
    "clipped": {"momentum": 0.9, "weight_decay": 0.1, "global_clipnorm": 0.7},
    "hardly clipped": {"momentum": 0.9, "weight_decay": 0.1, "global_clipnorm": 1e3},
}
MULTIPLIERS = (
    Multiplier("second", learning_rate=5.0, weight_decay=0.0),
    Multiplier("(first|second)", learning_rate=2.0),
)


def values():
    random = np.random.default_rng(0)
    starts = [random.normal(size=shape) for shape in ((3, 2), (4,))]
    grads = [[random.normal(size=start.shape) for start in starts] for _ in RATES]
    return starts, grads


def reference(starts, grads, momentum, weight_decay=0.0, nesterov=False, global_clipnorm=None):
    """The update as documented by torch.optim.SGD, in float64."""
    weights, buffers = [start.copy() for start in starts], [0.0 for _ in starts]
    for rate, step in zip(RATES, grads, strict=True):
        norm = np.sqrt(sum(np.sum(gradient**2) for gradient in step))
        clip = min(1.0, global_clipnorm / (norm + 1e-6)) if global_clipnorm else 1.0
        for i, gradient in enumerate(step):
            direction = gradient * clip + weight_decay * weights[i]
            buffers[i] = momentum * buffers[i] + direction
            direction = direction + momentum * buffers[i] if nesterov else buffers[i]
            weights[i] = weights[i] - rate * direction
    return weights


def trajectory(optimizer, starts, grads):
    names = ("first", "second")
    variables = [
        keras.Variable(start, dtype="float32", name=name)
        for start, name in zip(starts, names, strict=True)
    ]
    for rate, step in zip(RATES, grads, strict=True):
        optimizer.learning_rate = rate
        optimizer.apply([keras.ops.convert_to_tensor(g, "float32") for g in step], variables)
    return [keras.ops.convert_to_numpy(variable) for variable in variables]


@pytest.mark.parametrize("case", CASES)
def test_follows_the_formula_of_pytorch(case):
    starts, grads = values()
    ours = trajectory(SGD(RATES[0], **CASES[case]), starts, grads)
    for a, b in zip(ours, reference(starts, grads, **CASES[case]), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("case", CASES)
def test_follows_pytorch(case):
    torch = pytest.importorskip("torch")
    starts, grads = values()
    settings = dict(CASES[case])
    clip = settings.pop("global_clipnorm", None)
    parameters = [torch.nn.Parameter(torch.tensor(start)) for start in starts]
    optimizer = torch.optim.SGD(parameters, lr=RATES[0], **settings)
    for rate, step in zip(RATES, grads, strict=True):
        optimizer.param_groups[0]["lr"] = rate
        for parameter, gradient in zip(parameters, step, strict=True):
            parameter.grad = torch.tensor(gradient)
        if clip:
            torch.nn.utils.clip_grad_norm_(parameters, clip)
        optimizer.step()
    ours = trajectory(SGD(RATES[0], **CASES[case]), starts, grads)
    for a, b in zip(ours, parameters, strict=True):
        np.testing.assert_allclose(a, b.detach().numpy(), rtol=2e-5, atol=2e-6)


def test_multipliers_scale_rate_and_decay_and_the_first_match_wins():
    starts, grads = values()
    settings = {"momentum": 0.9, "weight_decay": 0.1}
    first, second = trajectory(SGD(0.1, multipliers=MULTIPLIERS, **settings), starts, grads)
    fast = [np.asarray(RATES) * factor for factor in (2, 5)]
    expected = []
    for i, (rates, decay) in enumerate(zip(fast, (0.1, 0.0), strict=True)):
        weight, buffer = starts[i].copy(), 0.0
        for rate, step in zip(rates, grads, strict=True):
            buffer = 0.9 * buffer + step[i] + decay * weight
            weight = weight - rate * buffer
        expected.append(weight)
    np.testing.assert_allclose(first, expected[0], rtol=2e-5, atol=2e-6)
    np.testing.assert_allclose(second, expected[1], rtol=2e-5, atol=2e-6)


def small_model():
    keras.utils.set_random_seed(3)
    inputs = keras.Input((4,))
    x = keras.layers.Dense(8, activation="relu", name="hidden")(inputs)
    return keras.Model(inputs, keras.layers.Dense(3, name="fc_cls")(x))


def small_data():
    random = np.random.default_rng(1)
    return random.normal(size=(16, 4)).astype("float32"), random.integers(0, 3, 16)


def compile_model(model, optimizer):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss=loss, jit_compile=False)
    return model


def test_config_round_trip_keeps_the_settings():
    optimizer = SGD(
        0.1, 0.8, True, 1e-4, multipliers=MULTIPLIERS, global_clipnorm=20.0, name="descent"
    )
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(optimizer))
    assert isinstance(copy, SGD)
    assert copy.get_config() == optimizer.get_config()
    assert copy.multipliers == MULTIPLIERS


def test_saved_model_continues_as_if_not_saved(tmp_path):
    x, y = small_data()
    model = compile_model(small_model(), SGD(0.1, weight_decay=0.01, multipliers=tsm_multipliers()))
    model.fit(x, y, epochs=2, shuffle=False, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    for network in (model, loaded):
        network.fit(x, y, epochs=2, shuffle=False, verbose=0)
    for a, b in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


def test_accumulated_gradients_equal_the_larger_batch():
    x, y = small_data()
    settings = {"weight_decay": 0.01, "global_clipnorm": 0.5}
    whole = compile_model(small_model(), SGD(0.1, **settings))
    whole.fit(x, y, batch_size=16, epochs=3, shuffle=False, verbose=0)
    split = compile_model(small_model(), SGD(0.1, gradient_accumulation_steps=4, **settings))
    split.fit(x, y, batch_size=4, epochs=3, shuffle=False, verbose=0)
    for a, b in zip(whole.get_weights(), split.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_loss_scaling_does_not_change_the_steps():
    x, y = small_data()
    settings = {"weight_decay": 0.01, "global_clipnorm": 0.5, "multipliers": tsm_multipliers()}
    plain = compile_model(small_model(), SGD(0.1, **settings))
    scaled = keras.optimizers.LossScaleOptimizer(SGD(0.1, **settings), initial_scale=64.0)
    scaled = compile_model(small_model(), scaled)
    for model in (plain, scaled):
        model.fit(x, y, epochs=3, shuffle=False, verbose=0)
    for a, b in zip(plain.get_weights(), scaled.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"momentum": 1.0}, r"momentum must be in \[0, 1\), received 1.0"),
        ({"momentum": 0.0, "nesterov": True}, "nesterov needs a momentum"),
        ({"weight_decay": -1.0}, "weight_decay must not be negative, received -1.0"),
        ({"multipliers": ("bias",)}, "multipliers must be Multiplier objects, received 'bias'"),
    ],
)
def test_rejects_impossible_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        SGD(0.1, **settings)


def test_an_invalid_pattern_of_a_multiplier_is_named():
    with pytest.raises(ValueError, match=r"pattern '\(' is not a regular expression"):
        Multiplier("(")


def our_path(name):
    """Path of our variable for a parameter of the reference."""
    *module, kind = name.removeprefix("backbone.").removeprefix("cls_head.").split(".")
    norm = module[-1] == "bn" or module[-3:-1] in (["tam", "G"], ["tam", "L"])
    norm = norm and module[-1] in ("bn", "1")
    names = {"weight": "gamma", "bias": "beta"} if norm else {"weight": "kernel", "bias": "bias"}
    return "_".join(module) + "/" + names[kind]


def groups_of_the_reference():
    records = json.loads((FIXTURES / "optimizer_groups.json").read_text())["records"]
    for record in records:
        for group in record["output"]["groups"]:
            for name in group["parameters"]:
                yield name, group["lr_multiplier"], group["weight_decay_multiplier"]


def test_groups_of_tsm_are_those_of_the_reference():
    optimizer = SGD(1.0, weight_decay=1.0, multipliers=tsm_multipliers())
    count = 0
    for name, rate, decay in groups_of_the_reference():
        variable = type("Variable", (), {"path": our_path(name), "name": "", "value": None})()
        optimizer._var_key = id
        assert optimizer._factors(variable) == (rate, decay), name
        count += 1
    assert count > 500


def test_without_fc_lr5_the_classifier_is_a_layer_like_others():
    model = small_model()
    optimizer = SGD(1.0, weight_decay=1.0, multipliers=tsm_multipliers(fc_lr5=False))
    factors = {v.path: optimizer._factors(v) for v in model.trainable_variables}
    assert factors["fc_cls/kernel"] == factors["hidden/kernel"] == (1.0, 1.0)
    assert factors["fc_cls/bias"] == factors["hidden/bias"] == (2.0, 0.0)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_other_backends_follow_the_formula(backend):
    pytest.importorskip(backend)
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", __file__]
    chosen = "formula_of_pytorch or multipliers_scale or accumulated or loss_scaling or saved_model"
    environment = {**os.environ, "KERAS_BACKEND": backend}
    result = subprocess.run(
        [*command, "-k", chosen], env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "11 passed" in result.stdout
