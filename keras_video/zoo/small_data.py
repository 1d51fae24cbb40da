"""A row's training for few clips, 50 to 3,000: less is learned by heart."""

from dataclasses import fields, is_dataclass, replace

# Share of a target that is spread over all classes.
_SMOOTHING = 0.1


def for_small_data(row):
    """`row` with the regularization that fine-tuning on few clips gains from.

    The values were chosen by measurement, see `guides/small_data.md`; a row that has more of
    something keeps it.

    Args:
        row: a row with a training, see `trainable`.
    """
    loss = replace(row.loss, label_smoothing=max(_SMOOTHING, row.loss.label_smoothing))
    return replace(row, loss=loss)


def changed_settings(before, after, prefix=""):
    """What differs between two rows, as lines "loss.label_smoothing: 0.0 -> 0.1"."""
    lines = []
    for field in fields(before):
        old, new = getattr(before, field.name), getattr(after, field.name)
        if is_dataclass(old) and is_dataclass(new) and type(old) is type(new):
            lines += changed_settings(old, new, f"{prefix}{field.name}.")
        elif old != new:
            lines.append(f"{prefix}{field.name}: {old} -> {new}")
    return lines
