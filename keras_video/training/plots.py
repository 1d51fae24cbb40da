"""Plots of a run: curves and confusion matrix. Needs matplotlib, imported when drawing."""

import textwrap

import numpy as np

_INK, _GRID = "#333333", "#dddddd"
COLORS = ("#1f6fb4", "#d9622b", "#3a923a", "#8e57b5", "#8a6d3b", "#c2477f")
_NAMED_CLASSES = 40
# Characters per line of a class name.
_LABEL_WIDTH = 24


def draw_confusion(path, counts, names):
    """Plots a confusion matrix, colored by the fraction of each true class.

    Args:
        path: PNG file.
        counts: (classes, classes), true classes in rows.
        names: a name per class; omitted beyond 40 classes.
    """
    classes = len(counts)
    fractions = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    size = float(np.clip(2.6 + 0.42 * classes, 4.5, 14.0))
    figure, axes = new_figure((size + 1.0, size))
    image = axes.imshow(fractions, cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    correct = counts.trace() / max(counts.sum(), 1)
    axes.set_title(f"{correct:.1%} of {counts.sum()} videos correct", color=_INK)
    if classes <= _NAMED_CLASSES:
        short = ["\n".join(textwrap.wrap(name, _LABEL_WIDTH)) for name in names]
        axes.set_xticks(range(classes), short, rotation=45, ha="right", rotation_mode="anchor")
        axes.set_yticks(range(classes), short)
        axes.tick_params(length=0, labelsize=9 if classes <= 25 else 7)
    if classes <= 25:
        for row, column in np.argwhere(counts):
            color = "white" if fractions[row, column] > 0.55 else _INK
            text = str(counts[row, column])
            axes.text(column, row, text, ha="center", va="center", color=color, fontsize=8)
    bar = figure.colorbar(image, ax=axes, fraction=0.045, pad=0.03, format="{x:.0%}")
    bar.set_label("fraction of the true class")
    bar.outline.set_visible(False)
    _clear_spines(axes)
    figure.savefig(path, dpi=130, bbox_inches="tight", pad_inches=0.15)


def draw_curves(path, history):
    """Plots losses on the left, accuracies on the right, over epochs counted from 1.

    Args:
        path: PNG file.
        history: columns by name; learning rates and "epoch" are not plotted.
    """
    length = max(map(len, history.values()))
    epochs = np.asarray(history.get("epoch", np.arange(1, length + 1)), float)
    names = [name for name in history if name not in ("epoch", "learning_rate")]
    losses = [name for name in names if "loss" in name]
    others = [name for name in names if "loss" not in name]
    panels = [group for group in (losses, others) if group]
    figure, axes = new_figure((5.6 * len(panels), 4.0), columns=len(panels))
    for panel, group in zip(np.atleast_1d(axes), panels, strict=True):
        for number, name in enumerate(group):
            values = np.asarray(history[name], float)
            known = np.isfinite(values)
            panel.plot(
                epochs[: len(values)][known],
                values[known],
                color=COLORS[number % len(COLORS)],
                marker="o" if known.sum() <= 30 else None,
                markersize=3.5,
                linewidth=1.8,
                label=name.replace("_", " "),
            )
        style_panel(panel, "loss" if group is losses else "accuracy")
        if group is others and max(np.nanmax(history[name]) for name in group) <= 1:
            panel.set_ylim(-0.02, 1.02)
            panel.yaxis.set_major_formatter("{x:.0%}")
    figure.savefig(path, dpi=130, bbox_inches="tight", pad_inches=0.15)


def new_figure(size, columns=1, rows=1):
    """A figure of this size in inches, and its axes as returned by `subplots`."""
    # Without pyplot, which would open a window or choose a backend for the caller.
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained", facecolor="white")
    return figure, figure.subplots(rows, columns)


def style_panel(panel, title):
    """Adds title, grid and legend to a panel of curves over epochs."""
    from matplotlib.ticker import MaxNLocator

    panel.set_title(title, color=_INK, loc="left", fontsize=11)
    panel.set_xlabel("epoch")
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    panel.grid(color=_GRID, linewidth=0.8)
    panel.set_axisbelow(True)
    panel.legend(frameon=False, fontsize=9)
    _clear_spines(panel, keep=("left", "bottom"))


def _clear_spines(axes, keep=()):
    for side, spine in axes.spines.items():
        spine.set_visible(side in keep)
        spine.set_color(_INK)
