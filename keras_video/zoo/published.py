"""Published results of a row: weight files, accuracies, and the components of fused rows."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Checkpoint:
    """A published weight file.

    Attributes:
        url: where it is published.
        file: its file name.
        sha256_prefix: first 8 hexadecimal digits of its SHA-256; `None` if the project
            publishes no hash.
        label: "ckpt", "infer_ckpt" (for inference only), "OmniSource" or "Baseline".
        weights_kind: "mmaction2", "ported from ..." another library, or the project that trained
            them.
        top1, top5: accuracy in percent, if the row has several checkpoints.
    """

    url: str
    file: str
    sha256_prefix: str | None
    label: str = "ckpt"
    weights_kind: str = "mmaction2"
    top1: float | None = None
    top5: float | None = None


@dataclass(frozen=True)
class Result:
    """Accuracy in percent of one setting of a summary row."""

    setting: str
    top1: float
    top5: float


@dataclass(frozen=True)
class Reported:
    """Published accuracy, in percent.

    Attributes:
        top1, top5: under the row's test protocol; the efficient one if there are two.
        mean_class_accuracy: mean over the classes.
        mean_average_precision: of multi-label rows.
        top1_efficient, top5_efficient: one clip and one crop.
        top1_accurate, top5_accurate: two clips and three crops.
        top1_10view, top1_30view: ten clips with one and with three crops.
        top1_ported, top5_ported: of the weights before they were retrained.
        results: per setting, for summary rows.
    """

    top1: float | None = None
    top5: float | None = None
    mean_class_accuracy: float | None = None
    mean_average_precision: float | None = None
    top1_efficient: float | None = None
    top5_efficient: float | None = None
    top1_accurate: float | None = None
    top5_accurate: float | None = None
    top1_10view: float | None = None
    top1_30view: float | None = None
    top1_ported: float | None = None
    top5_ported: float | None = None
    results: tuple[Result, ...] = ()


@dataclass(frozen=True)
class Fusion:
    """Weighted sum of the scores of other rows.

    Attributes:
        components: ids of the rows.
        coefficients: factor of each row's logits.
    """

    components: tuple[str, ...]
    coefficients: tuple[float, ...]
