"""The plot of accuracy over cost."""

import pytest

from keras_video import zoo
from keras_video.cli.zoo_picture import all_views, draw_zoo, one_view, pareto


@pytest.mark.parametrize("cost", [one_view, all_views])
def test_the_line_joins_the_pareto_front(cost):
    rows = [row for row in zoo.rows(dataset="kinetics400", kind="model")
            if row.flops and row.reported.top1 and row.views]  # fmt: skip
    front = pareto(rows, cost)
    assert len(front) > 3
    for row in rows:
        better = any(
            cost(other) <= cost(row)
            and other.reported.top1 >= row.reported.top1
            and other is not row
            for other in rows
        )
        assert (row in front) or better
    costs = [cost(row) for row in front]
    assert costs == sorted(costs)
    assert all_views(zoo.row("t32_r00")) == 6 * zoo.row("t32_r00").flops  # 2 clips x 3 crops


def test_both_panels_have_names_and_a_line(tmp_path, monkeypatch):
    figure = pytest.importorskip("matplotlib.figure")
    drawn = []
    save = figure.Figure.savefig

    def note(self, *arguments, **options):
        drawn.append(self)
        return save(self, *arguments, **options)

    monkeypatch.setattr(figure.Figure, "savefig", note)
    draw_zoo(tmp_path / "zoo.png", "kinetics400")
    left, right = drawn[0].axes
    for axes in (left, right):
        assert len(axes.lines) == 1 and len(axes.texts) == len(axes.lines[0].get_xdata())
    assert "one view" in left.get_xlabel() and "all views" in right.get_xlabel()
    with pytest.raises(ValueError, match="no row states operations and accuracy"):
        draw_zoo(tmp_path / "zoo.png", "moving_shapes")
