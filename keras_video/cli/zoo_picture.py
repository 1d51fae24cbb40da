"""A picture of what the rows of the zoo cost and how accurate they are. Needs matplotlib."""

from keras_video import zoo

_MARKERS = "osD^vP"
_INK, _LINE, _GRID = "#333333", "#222222", "#dddddd"


def draw_zoo(path, dataset):
    """Draws published accuracy over published multiply-adds: of one view, and of all views.

    A color and marker for each family; rows that no cheaper one is as accurate as are joined by a
    line and named.

    Args:
        path: the picture, such as a PNG file.
        dataset: whose rows are drawn.

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
    one, several = figure.subplots(1, 2, sharey=True)
    families = sorted({row.family for row in rows})
    _draw_panel(one, rows, families, one_view, "of one view")
    _draw_panel(several, rows, families, all_views, "of all views of a video")
    one.set_ylabel("top-1 in % under the row's test protocol, as published")
    figure.suptitle(f"{len(rows)} rows on {dataset}; areas are parameters", x=0.01, ha="left")
    handles, names = one.get_legend_handles_labels()
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
    """The rows that no row of the same or a lower cost is more accurate than, by rising cost."""
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
        own = [row for row in rows if row.family == family]
        axes.scatter(
            [cost(row) / 1e9 for row in own],
            [row.reported.top1 for row in own],
            s=[15 + (row.parameters or 0) / 1.5e6 for row in own],
            color=colors(number % 10),
            marker=marker,
            alpha=0.7,
            edgecolors="white",
            label=family,
        )
    front = pareto(rows, cost)
    places = [(cost(row) / 1e9, row.reported.top1) for row in front]
    axes.plot(*zip(*places, strict=True), color=_LINE, linewidth=1.2, label="_front")
    axes.set_xscale("log")
    _name(axes, front, places)
    axes.set_xlabel(f"multiply-adds {title}, G (as published)")
    axes.set_title(title, loc="left", color=_INK)
    axes.grid(color=_GRID, linewidth=0.8)
    axes.set_axisbelow(True)


def _name(axes, front, places):
    """Names rows at the left of the line, where nothing is better; close ones share the space."""
    least = None
    low, high = axes.get_ylim()
    line = (high - low) / 48
    axes.set_ylim(low, high + 2 * line)
    axes.set_xlim(left=axes.get_xlim()[0] / 100)
    for row, place in zip(reversed(front), reversed(places), strict=True):
        y = place[1] if least is None else min(place[1], least - line)
        least = y
        # Left of the line at the height of the text, which may be lower than the point.
        x = min(place[0], *(one[0] for one in places if one[1] >= y - line))
        axes.annotate(
            short_name(row),
            place,
            (x / 1.45, y),
            ha="right",
            va="center",
            fontsize=7,
            color=_INK,
            arrowprops={"arrowstyle": "-", "color": "#999999", "linewidth": 0.5},
        )


def short_name(row):
    """A row's name without what all rows of the picture share."""
    name = row.name
    for part in (row.dataset, "kinetics", "rgb", "100e", "facebook"):
        name = name.replace(f"_{part}", "").replace(f"-{part}", "")
    return name.removesuffix("_")
