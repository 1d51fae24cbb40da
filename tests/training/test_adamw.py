"""AdamW: five steps of PyTorch's optimizer are stored in `tests/fixtures/adamw.json`."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_video.training import AdamW, Multiplier, layer_depths
from tests.applications import families

pytestmark = pytest.mark.unit

STORED = json.loads((Path(__file__).parents[1] / "fixtures" / "adamw.json").read_text())
CASES = STORED["cases"]


def inputs():
    starts = [np.array(start) for start in STORED["starts"]]
    gradients = [[np.array(gradient) for gradient in step] for step in STORED["gradients"]]
    return starts, gradients


def trajectory(optimizer, starts, gradients, rates, names=("first", "second")):
    """The variables after every step."""
    variables = [
        keras.Variable(start, dtype="float32", name=name)
        for start, name in zip(starts, names, strict=True)
    ]
    values = []
    for rate, step in zip(rates, gradients, strict=True):
        optimizer.learning_rate = rate
        optimizer.apply([keras.ops.convert_to_tensor(g, "float32") for g in step], variables)
        values.append([keras.ops.convert_to_numpy(variable) for variable in variables])
    return values


def adamw(settings):
    settings = dict(settings)
    beta_1, beta_2 = settings.pop("betas")
    clip = settings.pop("clip")
    return AdamW(0.1, beta_1, beta_2, settings.pop("eps"), global_clipnorm=clip, **settings)


@pytest.mark.parametrize("case", CASES)
def test_follows_five_stored_steps_of_pytorch(case):
    starts, gradients = inputs()
    steps = trajectory(adamw(CASES[case]["settings"]), starts, gradients, STORED["rates"])
    assert len(steps) == 5
    for ours, theirs in zip(steps, CASES[case]["weights"], strict=True):
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-6)


@pytest.mark.parametrize("case", CASES)
def test_the_stored_steps_are_pytorchs(case):
    torch = pytest.importorskip("torch")
    starts, gradients = inputs()
    settings = dict(CASES[case]["settings"])
    clip = settings.pop("clip")
    parameters = [torch.nn.Parameter(torch.tensor(start, dtype=torch.float64)) for start in starts]
    optimizer = torch.optim.AdamW(parameters, lr=0.1, **settings)
    for rate, step, stored in zip(STORED["rates"], gradients, CASES[case]["weights"], strict=True):
        optimizer.param_groups[0]["lr"] = rate
        for parameter, gradient in zip(parameters, step, strict=True):
            parameter.grad = torch.tensor(gradient, dtype=torch.float64)
        if clip:
            torch.nn.utils.clip_grad_norm_(parameters, clip)
        optimizer.step()
        for parameter, expected in zip(parameters, stored, strict=True):
            np.testing.assert_allclose(parameter.detach().numpy(), expected, rtol=0, atol=1e-9)


def test_multipliers_scale_rate_and_decay():
    starts, gradients = inputs()
    settings = {"beta_1": 0.9, "beta_2": 0.95, "weight_decay": 0.5}
    groups = (Multiplier("second", learning_rate=0.5, weight_decay=0.0),)
    rates = STORED["rates"]
    both = trajectory(AdamW(0.1, multipliers=groups, **settings), starts, gradients, rates)[-1]
    plain = trajectory(AdamW(0.1, **settings), starts, gradients, rates)[-1]
    half = trajectory(
        AdamW(0.1, **{**settings, "weight_decay": 0.0}),
        starts,
        gradients,
        [rate / 2 for rate in rates],
    )[-1]
    np.testing.assert_array_equal(both[0], plain[0])
    np.testing.assert_allclose(both[1], half[1], atol=1e-6)


def test_layer_decay_multiplies_the_rate_by_the_distance_to_the_classifier():
    model = families.build("videomae")
    optimizer = AdamW(0.1, weight_decay=0.05, layer_decay=0.5)
    optimizer.build(model.trainable_variables)
    depths = layer_depths(variable.path for variable in model.trainable_variables)
    assert max(depths.values()) == 3
    for variable, rate in zip(model.trainable_variables, optimizer._rates, strict=True):
        assert rate == 0.5 ** (3 - depths[variable.path]), variable.path
    starts = [keras.ops.convert_to_numpy(variable) for variable in model.trainable_variables]
    ones = [keras.ops.ones_like(variable) for variable in model.trainable_variables]
    optimizer.apply(ones)
    for variable, start in zip(model.trainable_variables, starts, strict=True):
        # A first step of Adam is as long as the rate.
        rate = 0.1 * 0.5 ** (3 - depths[variable.path])
        expected = start * (1 - rate * 0.05) - rate
        value = keras.ops.convert_to_numpy(variable)
        np.testing.assert_allclose(value, expected, atol=1e-5, err_msg=variable.path)


def test_layer_decay_of_a_network_without_blocks_is_rejected():
    model = families.shared("tsm")
    optimizer = AdamW(0.1, layer_decay=0.5)
    with pytest.raises(ValueError, match="expected blocks of a transformer"):
        optimizer.build(model.trainable_variables)


def test_config_round_trip():
    optimizer = AdamW(
        0.1, 0.8, 0.95, 1e-6, 0.3, (Multiplier("bias", 0.5, 0.0),), 0.75, global_clipnorm=1.0
    )
    again = AdamW.from_config(optimizer.get_config())
    assert again.get_config() == optimizer.get_config()
    assert again.multipliers == optimizer.multipliers and again.layer_decay == 0.75


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"beta_1": 1.0}, r"AdamW: beta_1 must be in \[0, 1\), received 1.0"),
        ({"beta_2": -0.1}, "AdamW: beta_2 must be"),
        ({"epsilon": -1.0}, "AdamW: epsilon must not be negative, received -1.0"),
        ({"weight_decay": -1.0}, "AdamW: weight_decay must not be negative, received -1.0"),
        ({"layer_decay": 1.5}, r"AdamW: layer_decay must be in \(0, 1\], received 1.5"),
        ({"multipliers": ("bias",)}, "AdamW: multipliers must be Multiplier objects"),
    ],
)
def test_values_out_of_range_are_rejected(arguments, message):
    with pytest.raises(ValueError, match=message):
        AdamW(0.1, **arguments)
