import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from keras_video.training.multigrid import long_cycle, multigrid_rates, short_cycle

pytestmark = pytest.mark.unit

FIXTURE = Path(__file__).parent.parent / "fixtures" / "data" / "multigrid.json"
RECORDS = json.loads(FIXTURE.read_text())["records"]


def grids(record, **changes):
    arguments = record["arguments"]
    settings = SimpleNamespace(**{**arguments["multigrid"], **changes})
    shape = (arguments["clip_len"], arguments["crop"])
    return settings, long_cycle(settings, arguments["epochs"], arguments["lr_steps"], *shape)


@pytest.mark.parametrize("record", RECORDS, ids=lambda r: str(r["arguments"]["epochs"]))
def test_clip_shapes_are_the_originals(record):
    expected = record["output"]["schedule_step_shape_until_epoch"]
    _, ours = grids(record)
    assert [[g.step, [g.batch_factor, g.frames, g.side], g.end] for g in ours] == expected
    assert ours[-1].end == record["output"]["max_epochs"]


@pytest.mark.parametrize("record", RECORDS, ids=lambda r: str(r["arguments"]["epochs"]))
def test_learning_rates_are_the_originals(record):
    _, ours = grids(record)
    rates = multigrid_rates(ours, record["arguments"]["lr"])
    assert rates == pytest.approx(record["output"]["lr_per_epoch"], rel=1e-9)


def test_short_cycle_ends_with_the_grids_own_shape():
    settings, ours = grids(RECORDS[0])
    assert short_cycle(settings, ours[-1], 224) == [(4, 112), (2, 158), (1, 224)]
    assert short_cycle(settings, ours[0], 224) == [(16, 112), (8, 158), (8, 158)]


def test_cycles_can_be_switched_off():
    settings, ours = grids(RECORDS[1], long_cycle=False)
    assert {(g.batch_factor, g.frames, g.side) for g in ours} == {(1, 32, 224)}
    settings, ours = grids(RECORDS[1], short_cycle=False)
    assert short_cycle(settings, ours[0], 224) == [(8, 158)]


def test_rates_without_warm_up():
    _, ours = grids(RECORDS[1])
    rates = multigrid_rates(ours, 0.1, warmup_epochs=0)
    assert rates[0] == pytest.approx(0.8)
    assert len(rates) == RECORDS[1]["output"]["max_epochs"]
