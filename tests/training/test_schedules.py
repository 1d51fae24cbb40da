import json
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_video.training.schedules import CosineSchedule, ScaledSchedule, StepSchedule, Warmup

pytestmark = pytest.mark.unit

FIXTURE = Path(__file__).parents[1] / "fixtures" / "data" / "lr_schedules.json"
RECORDS = json.loads(FIXTURE.read_text())["records"]


def warmup_of(config):
    if "warmup" not in config:
        return None
    unit = "epochs" if config.get("warmup_by_epoch") else "iterations"
    return Warmup(config["warmup"], config["warmup_ratio"], **{unit: config["warmup_iters"]})


def schedule_of(base_lr, lr_config, epochs, iterations_per_epoch):
    common = {
        "steps_per_epoch": iterations_per_epoch,
        "by_epoch": lr_config.get("by_epoch", True),
        "warmup": warmup_of(lr_config),
    }
    if lr_config["policy"] == "step":
        gamma = lr_config.get("gamma", 0.1)
        return StepSchedule(base_lr, lr_config["step"], gamma=gamma, **common)
    lowest = lr_config.get("min_lr", base_lr * lr_config.get("min_lr_ratio", 0))
    after = lr_config["policy"] == "TIN" and common["warmup"] is not None
    return CosineSchedule(base_lr, epochs, min_learning_rate=lowest, after_warmup=after, **common)


def expected_rates(record):
    rates = record["output"]["learning_rates"]
    steps = record["arguments"]["iterations_per_epoch"]
    if record["output"]["constant_within_epoch"]:
        return np.repeat(np.asarray(rates), steps)
    return np.asarray(rates).ravel()


def every_rate(schedule, steps):
    return keras.ops.convert_to_numpy(schedule(keras.ops.arange(steps)))


@pytest.mark.parametrize("index", range(len(RECORDS)))
def test_equals_the_reference_in_every_iteration(index):
    record = RECORDS[index]
    expected = expected_rates(record)
    schedule = schedule_of(**record["arguments"])
    np.testing.assert_allclose(every_rate(schedule, len(expected)), expected, rtol=2e-6)


@pytest.mark.parametrize("index", range(len(RECORDS)))
def test_config_round_trip_gives_the_same_rates(index):
    schedule = schedule_of(**RECORDS[index]["arguments"])
    config = keras.saving.serialize_keras_object(schedule)
    copy = keras.saving.deserialize_keras_object(json.loads(json.dumps(config)))
    assert type(copy) is type(schedule)
    np.testing.assert_array_equal(every_rate(copy, 60), every_rate(schedule, 60))


def test_takes_a_python_number_and_a_variable():
    schedule = StepSchedule(0.1, [2], steps_per_epoch=5)
    assert float(schedule(9)) == pytest.approx(0.1)
    assert float(schedule(keras.Variable(10, dtype="int32", trainable=False))) == pytest.approx(
        0.01
    )


def test_step_schedule_keeps_the_lowest_rate():
    schedule = StepSchedule(0.1, 1, steps_per_epoch=1, min_learning_rate=0.005)
    np.testing.assert_allclose(every_rate(schedule, 4), [0.1, 0.01, 0.005, 0.005], rtol=1e-6)


def test_cosine_stays_low_after_its_end():
    schedule = CosineSchedule(0.1, 2, steps_per_epoch=2, min_learning_rate=0.01)
    np.testing.assert_allclose(every_rate(schedule, 8)[4:], 0.01, rtol=1e-6)


def test_drives_an_optimizer_through_a_saved_model(tmp_path):
    schedule = ScaledSchedule(StepSchedule(0.1, [2], steps_per_epoch=4), 0.5)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(schedule), "mse")
    rates = []
    callback = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: rates.append(float(model.optimizer.learning_rate))
    )
    model.fit(np.ones((8, 2)), np.ones((8, 1)), 2, epochs=3, verbose=0, callbacks=[callback])
    np.testing.assert_allclose(rates, [0.05, 0.005, 0.005], rtol=1e-6)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert float(loaded.optimizer.learning_rate) == pytest.approx(0.005)


def test_a_flat_warmup_rises_to_the_rate_and_the_cosine_falls_from_there():
    """As in PyTorch repositories of transformers: a linear warm-up, then half a cosine."""
    warmup = Warmup("linear", 0.002, iterations=20)
    schedule = CosineSchedule(
        5e-4, 10, steps_per_epoch=10, min_learning_rate=1e-6, by_epoch=False, warmup=warmup,
        after_warmup=True, flat_warmup=True,
    )  # fmt: skip
    steps = np.arange(100)
    line = 5e-4 * (0.002 + 0.998 * steps / 20)
    cosine = 1e-6 + (5e-4 - 1e-6) * (1 + np.cos(np.pi * (steps - 20) / 80)) / 2
    expected = np.where(steps < 20, line, cosine)
    np.testing.assert_allclose(every_rate(schedule, 100), expected, rtol=1e-5)
    again = CosineSchedule.from_config(schedule.get_config())
    np.testing.assert_array_equal(every_rate(again, 100), every_rate(schedule, 100))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Warmup("cosine", iterations=1), "kind must be one of"),
        (lambda: Warmup("linear"), "either iterations or epochs"),
        (lambda: Warmup("linear", iterations=1, epochs=1), "either iterations or epochs"),
        (lambda: Warmup("linear", ratio=0.0, epochs=1), r"ratio must be in \(0, 1\], received 0.0"),
        (lambda: StepSchedule(0.0, [1], steps_per_epoch=1), "learning_rate must be greater than 0"),
        (lambda: StepSchedule(0.1, [0], steps_per_epoch=1), "milestones must be greater than 0"),
        (lambda: CosineSchedule(0.1, 0, steps_per_epoch=1), "epochs must be at least 1"),
        (lambda: CosineSchedule(0.1, 9, steps_per_epoch=0), "steps_per_epoch must be at least 1"),
        (
            lambda: CosineSchedule(0.1, 9, steps_per_epoch=1, after_warmup=True),
            "after_warmup needs a warmup and by_epoch=False",
        ),
    ],
)
def test_rejects_impossible_settings(make, message):
    with pytest.raises(ValueError, match=message):
        make()
