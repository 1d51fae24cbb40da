import numpy as np
import pytest

pytest.importorskip("matplotlib")

from keras_video.training import run_plots
from keras_video.training.plots import new_figure
from keras_video.training.run_plots import draw_quantity, draw_runs, known_points, quantities

pytestmark = pytest.mark.unit
NAN = float("nan")
RUNS = {
    "tsn": {
        "epoch": [1.0, 2, 3],
        "learning_rate": [0.1, 0.1, 0.01],
        "loss": [1.0, 0.5, 0.4],
        "val_top1": [NAN, 0.5, 0.75],
    },
    "tsm": {"epoch": [1.0, 2], "loss": [0.9, 0.3], "val_loss": [1.0, 0.8], "accuracy": [0.2, 0.6]},
}


def test_quantities_of_all_runs_once():
    assert quantities(RUNS) == ["loss", "top1", "accuracy", "learning_rate"]


def test_curves_are_the_columns_a_color_for_each_run():
    _, panel = new_figure((4, 3))
    draw_quantity(panel, RUNS, "loss")
    lines = {line.get_label(): line for line in panel.get_lines()}
    assert list(lines) == ["tsn", "tsm, training", "tsm, held out"]
    np.testing.assert_array_equal(lines["tsm, held out"].get_ydata(), [1.0, 0.8])
    assert lines["tsm, training"].get_color() == lines["tsm, held out"].get_color()
    assert lines["tsm, training"].get_color() != lines["tsn"].get_color()
    assert lines["tsm, training"].get_linestyle() != lines["tsm, held out"].get_linestyle()


def test_epochs_without_a_value_are_omitted():
    assert known_points(RUNS["tsn"], "val_top1") == ([2, 3], [0.5, 0.75])
    _, panel = new_figure((4, 3))
    draw_quantity(panel, RUNS, "top1")
    assert panel.get_title(loc="left") == "top1, held out"
    assert panel.get_ylim()[1] == pytest.approx(1.02)


def test_panels_for_the_requested_columns(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(run_plots, "draw_quantity", lambda panel, runs, name: drawn.append(name))
    draw_runs(tmp_path / "all.png", RUNS)
    draw_runs(tmp_path / "some.png", RUNS, ["top1", "loss"])
    assert drawn == ["loss", "top1", "accuracy", "learning_rate", "top1", "loss"]
    assert (tmp_path / "all.png").read_bytes().startswith(b"\x89PNG")


def test_unknown_columns_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"columns=\['top2'\]: no run has them.*loss, top1"):
        draw_runs(tmp_path / "a.png", RUNS, ["loss", "top2"])
    with pytest.raises(ValueError, match="expected some of none"):
        draw_runs(tmp_path / "a.png", {})


@pytest.mark.parametrize(("rates", "scale"), [([0.1, 0.01], "log"), ([0.1, 0.0], "linear")])
def test_rates_that_reach_zero_are_not_plotted_on_a_logarithmic_axis(rates, scale):
    _, panel = new_figure((4, 3))
    draw_quantity(panel, {"run": {"learning_rate": rates}}, "learning_rate")
    assert panel.get_yscale() == scale
