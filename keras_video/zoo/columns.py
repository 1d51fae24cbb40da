"""Formatting of row fields as text."""


def architecture(row):
    """The constructor call, or the kind of a row without a model."""
    if row.constructor is None:
        return f"({row.kind})"
    values = ", ".join(f"{key}={value}" for key, value in row.arguments.items() if value)
    return f"{row.constructor}({values})"


def sampling(row):
    """Clip length x frame interval x clips, as in config names."""
    if row.sampling is None:
        return "-"
    setting = row.sampling.train or row.sampling.test
    dense = "dense " if setting.sampler == "DenseSampleFrames" else ""
    return f"{dense}{setting.clip_len}x{setting.frame_interval}x{setting.num_clips}"


def protocol(row):
    """The views of a video in testing."""
    return str(row.views) if row.views else "-"


def number(value, format_spec):
    """A number in the given format, or a dash."""
    return "-" if value is None else format(value, format_spec)


def operations(value):
    """A number of multiply-adds, in billions."""
    return "-" if value is None else f"{value / 1e9:.1f} G"


def millions(value):
    """A number of parameters, in millions."""
    return "-" if value is None else f"{value / 1e6:.2f} M"


def top1(row):
    """The published top-1 accuracy in percent, or the mean average precision."""
    reported = row.reported
    if reported.top1 is None and reported.mean_average_precision is not None:
        return f"mAP {reported.mean_average_precision:.2f}"
    return number(reported.top1, ".2f")
