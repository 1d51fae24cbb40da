"""Plots the accuracy of zoo rows over their cost. Needs matplotlib."""

from keras_video import zoo

_MARKERS = "osD^vP"
_INK, _LINE, _GRID = "#333333", "#222222", "#dddddd"


def draw_zoo(path, dataset):
    """Plots published accuracy over published multiply-adds, of one view and of all views.

    Each family has its own color and marker; rows on the Pareto front are joined by a line and
    labeled.

    Args:
        path: the plot to write, such as a PNG file.
        dataset: the dataset whose rows are plotted.

    Raises:
        ValueError: if no row of the dataset states both.
    """
    from matplotlib.figure import Figure

    rows = [
        row
        for row in zoo.rows(dataset=dataset, kind="model")
        if row.flops and row.reported.top1 and row.modality == "RGB" and row.views
    ]
    if not rows:
        raise ValueError(f"--dataset={dataset}: no row states operations and accuracy.")
    figure = Figure(figsize=(15, 8.5), layout="constrained", facecolor="white")
    left, right = figure.subplots(1, 2, sharey=True)
    families = sorted({row.family for row in rows})
    _draw_panel(left, rows, families, one_view, "of one view")
    _draw_panel(right, rows, families, all_views, "of all views of a video")
    left.set_ylabel("top-1 in % under the row's test protocol, as published")
    figure.suptitle(
        f"{len(rows)} rows on {dataset}; marker area shows parameters", x=0.01, ha="left"
    )
    handles, names = left.get_legend_handles_labels()
    legend = figure.legend(handles, names, loc="outside right center", frameon=False)
    for handle in legend.legend_handles:
        handle.set_sizes([60])
    figure.savefig(path, dpi=110)
    print(f"{len(rows)} rows: {path}")


def one_view(row):
    """Multiply-adds of one view."""
    return row.flops


def all_views(row):
    """Multiply-adds of all views of a video under the row's test protocol."""
    return row.flops * row.views.clips * row.views.crops


def pareto(rows, cost):
    """The Pareto front: rows not beaten by any of the same or lower cost, by increasing cost."""
    front = []
    for row in sorted(rows, key=lambda row: (cost(row), -row.reported.top1)):
        if not front or row.reported.top1 > front[-1].reported.top1:
            front.append(row)
    return front


def _draw_panel(axes, rows, families, cost, title):
    from matplotlib import colormaps

    colors = colormaps["tab10"]
    for number, family in enumerate(families):
        marker = _MARKERS[number // 10 % len(_MARKERS)]
        members = [row for row in rows if row.family == family]
        axes.scatter(
            [cost(row) / 1e9 for row in members],
            [row.reported.top1 for row in members],
            s=[15 + (row.parameters or 0) / 1.5e6 for row in members],
            color=colors(number % 10),
            marker=marker,
            alpha=0.7,
            edgecolors="white",
            label=family,
        )
    front = pareto(rows, cost)
    points = [(cost(row) / 1e9, row.reported.top1) for row in front]
    axes.plot(*zip(*points, strict=True), color=_LINE, linewidth=1.2, label="_front")
    axes.set_xscale("log")
    _label(axes, front, points)
    axes.set_xlabel(f"multiply-adds {title}, G (as published)")
    axes.set_title(title, loc="left", color=_INK)
    axes.grid(color=_GRID, linewidth=0.8)
    axes.set_axisbelow(True)


def _label(axes, front, points):
    """Labels the rows to the left of the line, which is empty space; labels do not overlap."""
    lowest = None
    low, high = axes.get_ylim()
    line = (high - low) / 48
    axes.set_ylim(low, high + 2 * line)
    axes.set_xlim(left=axes.get_xlim()[0] / 100)
    for row, point in zip(reversed(front), reversed(points), strict=True):
        y = point[1] if lowest is None else min(point[1], lowest - line)
        lowest = y
        # Left of the line at the height of the text, which may be below the point.
        x = min(point[0], *(other[0] for other in points if other[1] >= y - line))
        axes.annotate(
            short_name(row),
            point,
            (x / 1.45, y),
            ha="right",
            va="center",
            fontsize=7,
            color=_INK,
            arrowprops={"arrowstyle": "-", "color": "#999999", "linewidth": 0.5},
        )


def short_name(row):
    """A row's name without the parts that all rows of the plot share."""
    name = row.name
    for part in (row.dataset, "kinetics", "rgb", "100e", "facebook"):
        name = name.replace(f"_{part}", "").replace(f"-{part}", "")
    return name.removesuffix("_")
