"""Curves of several runs in one plot. Needs matplotlib, imported when drawing."""

import numpy as np

from keras_video.training.plots import COLORS, new_figure, style_panel

_HELD_OUT = "val_"
_DASHES = (0, (4, 2))


def draw_runs(path, runs, columns=None):
    """Plots the same quantities of several runs over epochs, one color per run.

    The training and held-out curves of a quantity share a panel, dashed and solid. A quantity
    that no run has is not plotted.

    Args:
        path: the image file, such as PNG.
        runs: columns by name for each run's name, as returned by `read_log`.
        columns: quantities to plot, without "val_", such as ("loss", "top1"); `None` for all,
            learning rates last.

    Raises:
        ValueError: if there is no run, or no run has any of these columns.
    """
    panels = quantities(runs) if columns is None else list(columns)
    known = quantities(runs)
    if not panels or not set(panels) & set(known):
        raise ValueError(f"columns={columns}: expected some of {', '.join(known) or 'none'}.")
    missing = [name for name in panels if name not in known]
    if missing:
        raise ValueError(
            f"columns={missing}: no run has them; expected some of {', '.join(known)}."
        )
    wide = min(len(panels), 3)
    high = -(-len(panels) // wide)
    figure, axes = new_figure((5.2 * wide, 3.6 * high), columns=wide, rows=high)
    axes = np.atleast_1d(axes).reshape(-1)
    for panel, name in zip(axes, panels, strict=False):
        draw_quantity(panel, runs, name)
    for panel in axes[len(panels) :]:
        panel.set_visible(False)
    figure.savefig(path, dpi=130, bbox_inches="tight", pad_inches=0.15)


def quantities(runs):
    """Names of the columns of all runs, without "val_" and "epoch", learning rates last."""
    names = [name.removeprefix(_HELD_OUT) for run in runs.values() for name in run]
    distinct = [name for name in dict.fromkeys(names) if name != "epoch"]
    return sorted(distinct, key=lambda name: name == "learning_rate")


def draw_quantity(panel, runs, name):
    """Plots one quantity of all runs."""
    plotted = []
    for number, (label, run) in enumerate(runs.items()):
        both = name in run and _HELD_OUT + name in run
        for column in (name, _HELD_OUT + name):
            if column not in run:
                continue
            epochs, values = known_points(run, column)
            plotted += values
            held_out = column != name
            what = f", {'held out' if held_out else 'training'}" if both else ""
            panel.plot(
                epochs,
                values,
                color=COLORS[number % len(COLORS)],
                linestyle="-" if held_out or not both else _DASHES,
                marker="o" if len(values) <= 30 else None,
                markersize=3,
                linewidth=1.7,
                label=label + what,
            )
    held_out_only = not any(name in run for run in runs.values())
    title = name.replace("_", " ")
    style_panel(panel, f"{title}, held out" if held_out_only else title)
    if name == "learning_rate":
        # A cosine schedule ends at 0, which a logarithmic axis cannot show.
        panel.set_yscale("log" if min(plotted, default=0) > 0 else "linear")
    elif "loss" not in name and max(plotted, default=0) <= 1:
        panel.set_ylim(-0.02, 1.02)
        panel.yaxis.set_major_formatter("{x:.0%}")


def known_points(run, column):
    """Epochs and finite values of a column, as lists of floats."""
    values = np.asarray(run[column], float)
    epochs = np.asarray(run.get("epoch", np.arange(1, len(values) + 1)), float)
    known = np.isfinite(values)
    return epochs[known].tolist(), values[known].tolist()
