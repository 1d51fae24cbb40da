"""Training settings of a row for small datasets, 50 to 3,000 clips, with less overfitting."""

from dataclasses import fields, is_dataclass, replace

# Fraction of a target that is spread over all classes.
SMOOTHING = 0.1
# Families and bodies whose networks have no batch norms.
_WITHOUT_NORMS = ("c3d", "mvit", "swin3d", "timesformer", "uniformer_v2", "videomae", "vivit")
_WITHOUT_NORMS += ("vjepa2", "swin_base")


def for_small_data(row, pretrained=True):
    """`row` with the regularization that did best where fine-tuning on few clips was measured.

    Labels are smoothed by 0.1. Where the training starts from weights, batch norms keep these
    weights' statistics (`Norm.eval_mode`), since those of a few small batches are mostly noise;
    statistics are then not recomputed, and clips keep their shape (no multigrid training). What
    a row has more of it keeps. `guides/small_data.md` has the figures: the gain is small.

    Args:
        row: a row with a training, see `trainable`.
        pretrained: whether the training starts from weights.
    """
    loss = replace(row.loss, label_smoothing=max(SMOOTHING, row.loss.label_smoothing))
    row = replace(row, loss=loss)
    frozen = row.norm.eval_mode or row.norm.frozen or row.norm.partial
    if not pretrained or frozen or not has_batch_norms(row):
        return row
    norm = replace(row.norm, eval_mode=True, synchronized=False)
    return replace(row, norm=norm, precise_bn=None, multigrid=None)


def has_batch_norms(row):
    """Whether the network of a row has batch norms."""
    return row.family not in _WITHOUT_NORMS and row.arguments.get("backbone") not in _WITHOUT_NORMS


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
