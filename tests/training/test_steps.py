"""Step-by-step trainings: equal to the original, while wrong settings are not."""

import dataclasses

import pytest

from tests.training import steps

QUICK = (
    "trn_r50_1x1x8_50e_sthv1_rgb",
    "tsm_mobilenetv2_dense_1x1x8_100e_kinetics400_rgb",
    "tsn_r18_64x1x1_100e_kinetics400_audio_feature",
)
TRN, AUDIO = QUICK[0], QUICK[2]
EVERY = sorted(path.stem for path in steps.FOLDER.glob("*.json"))
# Name of the fixture, settings of the row's optimizer, arguments of the optimizer.
WRONG = {
    "rate": (AUDIO, {}, {"learning_rate": 1.01}),
    "decay": (AUDIO, {"weight_decay": 0.0}, {}),
    "momentum": (AUDIO, {"momentum": 0.8}, {}),
    "clipping": (TRN, {}, {"gradient_clip": None}),
    "groups": (TRN, {"grouped": False}, {}),
    "norms": (TRN, {}, {}),
}


def tiers(names, quick):
    slow = pytest.mark.slow
    return [pytest.param(name, marks=slow(every_change=name in quick)) for name in names]


def test_every_fixture_is_tested():
    assert len(EVERY) == 10
    assert set(QUICK) < set(EVERY)


@pytest.mark.parametrize("name", tiers(EVERY, QUICK))
def test_training_equals_the_original(name):
    with steps.double_precision():
        case = steps.load(name)
        results = steps.trained(case, steps.built(case))
    assert steps.differences(case, results) == []


@pytest.mark.parametrize("fault", tiers(WRONG, ("rate",)))
def test_wrong_settings_are_detected(fault):
    name, settings, options = WRONG[fault]
    with steps.double_precision():
        case = steps.load(name)
        optimizer = dataclasses.replace(case.row.optimizer, **settings)
        row = dataclasses.replace(case.row, optimizer=optimizer)
        if "gradient_clip" in options:
            row, options = dataclasses.replace(row, **options), {}
        if "learning_rate" in options:
            options = {"learning_rate": options["learning_rate"] * optimizer.learning_rate}
        model = steps.built(case, prepared=fault != "norms")
        results = steps.trained(case, model, row, phases=("start",), **options)
    assert steps.differences(case, results)
