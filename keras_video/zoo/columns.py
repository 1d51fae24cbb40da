"""How facts of rows are written."""


def architecture(row):
    """The constructor's call, or the kind of a row without a model."""
    if row.constructor is None:
        return f"({row.kind})"
    values = ", ".join(f"{key}={value}" for key, value in row.arguments.items() if value)
    return f"{row.constructor}({values})"


def sampling(row):
    """Clip length x frame interval x clips, as in the names of the configs."""
    if row.sampling is None:
        return "-"
    drawn = row.sampling.train or row.sampling.test
    dense = "dense " if drawn.sampler == "DenseSampleFrames" else ""
    return f"{dense}{drawn.clip_len}x{drawn.frame_interval}x{drawn.num_clips}"


def protocol(row):
    """The views of a video in testing."""
    return str(row.views) if row.views else "-"


def number(value, text):
    """A number in this format, or a dash."""
    return "-" if value is None else format(value, text)


def operations(value):
    """A number of multiply-adds."""
    return "-" if value is None else f"{value / 1e9:.1f} G"


def millions(value):
    """A number of parameters."""
    return "-" if value is None else f"{value / 1e6:.2f} M"


def top1(row):
    """The published accuracy in percent, or the mean average precision."""
    reported = row.reported
    if reported.top1 is None and reported.mean_average_precision is not None:
        return f"mAP {reported.mean_average_precision:.2f}"
    return number(reported.top1, ".2f")
