"""`keras-video plot` on handwritten logs."""

import pytest

from tests.cli.running import start

LOG = "epoch,loss,accuracy,val_top1\n1,1.2,0.3,\n2,0.7,0.6,0.5\n"


def test_several_runs_in_one_plot(tmp_path):
    for place in ("first/tsn", "second/tsn"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "log.csv").write_text(LOG)
    out = tmp_path / "curves.png"
    runs = [tmp_path / "first" / "tsn", tmp_path / "second" / "tsn" / "log.csv"]
    run = start("plot", *runs, f"--out={out}")
    assert run.returncode == 0, run.stderr[-3000:]
    assert "2 runs are plotted" in run.stdout
    assert out.stat().st_size > 10_000


@pytest.mark.slow(every_change=True)
def test_a_run_without_a_log_is_reported(tmp_path):
    run = start("plot", tmp_path)
    assert run.returncode != 0
    assert f"{tmp_path / 'log.csv'} does not exist" in run.stderr
