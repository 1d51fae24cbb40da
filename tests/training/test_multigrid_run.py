"""The multigrid row of SlowFast: its clips and rates, and a short training by its recipe."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from keras_video import zoo
from keras_video.training.multigrid import Grid
from keras_video.training.multigrid_run import grid_rates, row_of_grid

ROW = zoo.row("slowfast_multigrid_r50_8x8x1_358e_kinetics400_rgb")
RECIPE = Path(__file__).parents[2] / "recipes" / "train_slowfast.py"


def test_clips_of_a_grid_span_as_long_as_the_rows():
    row = row_of_grid(ROW, Grid(0, 8, 8, 158, 20))
    assert row.input_shape == (8, 158, 158, 3)
    assert (row.sampling.train.clip_len, row.sampling.train.frame_interval) == (8, 8)
    assert row.spatial.train.crop.size == 158
    assert row.spatial.train.short_side == round(256 * 158 / 224)


def test_rates_are_for_the_batch_of_the_run():
    grids = [Grid(0, 4, 8, 158, 2), Grid(1, 1, 32, 224, 4)]
    flags = SimpleNamespace(learning_rate=None)
    run = SimpleNamespace(flags=flags, row=ROW, batch_size=ROW.batch_size // 2, epochs=4)
    rates = grid_rates(run, grids)
    assert rates == pytest.approx([0.2, 0.2, 0.2, 0.0005])


@pytest.mark.slow
def test_recipe_goes_through_the_shapes(tmp_path):
    command = [sys.executable, str(RECIPE), f"--row={ROW.name}", f"--work_dir={tmp_path}"]
    command += ["--size=48", "--epochs=3", "--batch_size=2", "--views=1x1", "--learning_rate=0.01"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    epochs = (tmp_path / "log.csv").read_text().splitlines()
    assert len(epochs) == 1 + round(3 * ROW.multigrid.epoch_factor)
    assert 0 <= json.loads((tmp_path / "metrics.json").read_text())["top1"] <= 1
