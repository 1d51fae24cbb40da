"""What a row states about its training: data source, initial weights, optimizer, schedule, loss."""

import re
from dataclasses import dataclass
from urllib.parse import urlparse

from keras_video.zoo.clip_settings import Spatial

HASH = re.compile(r"[-_]([0-9a-f]{8})\.pth$")


@dataclass(frozen=True)
class Source:
    """Where the examples come from.

    Attributes:
        kind: "video", "rawframes" (a folder of images per video), "flow" (a folder of optical
            flow images), "audio", "audio_feature", "images" or "untrimmed_video".
        file_template: file name of a frame; for flow the first field is "x" or "y".
        start_index: number of the first frame of a video.
        with_offset: list lines carry the number of the first frame of the clip.
        multi_label: list lines carry one or more labels.
        class_power: above 0, a class is drawn with weight (examples of the class) ** class_power
            and then one of its examples; 0 draws examples evenly.
    """

    kind: str
    file_template: str | None = None
    start_index: int = 0
    with_offset: bool = False
    multi_label: bool = False
    class_power: float = 0.0


@dataclass(frozen=True)
class JointSource:
    """A source of a joint training, the main one included (OmniSource, arXiv:2003.13042).

    Attributes:
        source: where its examples come from.
        ratio: batches of this source in a round over all sources.
        batch_size_per_device: examples of a batch per device.
        pseudo_clip: an image is repeated to a clip of this many frames, or `None`.
        clip_template: file name of a trimmed part of an untrimmed video.
        clips: "positive" takes only the parts listed as showing the class.
    """

    source: Source
    ratio: int = 1
    batch_size_per_device: int = 1
    pseudo_clip: int | None = None
    clip_template: str | None = None
    clips: str | None = None


@dataclass(frozen=True)
class InitialWeights:
    """The weights a training starts from.

    Attributes:
        part: "backbone" (an image or video network without its classifier) or "model" (a whole
            model of this family, its classifier left out where the classes differ).
        trained_on: data of these weights, such as "ImageNet-1K".
        url: the file MMAction2 0.24 resolves.
        other_urls: further files published under the same name.
        inflate: 2-D kernels are repeated along time and divided by its length.
    """

    part: str
    trained_on: str
    url: str
    other_urls: tuple[str, ...] = ()
    inflate: bool = False

    @property
    def file(self) -> str:
        """File name of `url`."""
        return urlparse(self.url).path.rsplit("/", 1)[-1]

    @property
    def sha256_prefix(self) -> str | None:
        """First 8 hexadecimal digits of the file's hash, where its name has them."""
        match = HASH.search(self.file)
        return match.group(1) if match else None


@dataclass(frozen=True)
class Optimizer:
    """The optimizer; decay is added to the gradient, except for "adamw".

    Attributes:
        kind: "sgd" or "adamw", as PyTorch computes them, or "rmsprop", as Keras does.
        learning_rate: for `reference_gpus` x `batch_size_per_device` examples a batch; to be scaled
            linearly for other batch sizes.
        reference_gpus: devices `learning_rate` is meant for; `None` where it is not stated.
        grouped: TSM's parameter groups: biases at twice the rate without decay, normalization
            without decay.
        classifier_multiplier: rate of the last dense kernel in a grouped optimizer; its bias
            has twice that.
        norm_decay: whether the scales and offsets of norms decay too.
        bias_decay: whether biases and learned factors of whole layers or channels decay too.
        table_decay: whether tables of positions and distances and learned tokens decay too.
        body_multiplier: rate of all but the classifier, as a fraction of the rate.
        rho: "rmsprop": decay of the mean of squares.
        epsilon: "rmsprop": added to the mean of squares; "adamw": to its root.
        beta_1, beta_2: "adamw": decay of the means of gradients and of squares.
        layer_decay: "adamw": factor of the rate for every layer further from the classifier.
        clip_norm: "rmsprop": greatest 2-norm of each variable's gradient, or `None`.
    """

    learning_rate: float
    reference_gpus: int | None = None
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 0.0
    grouped: bool = False
    classifier_multiplier: float = 1.0
    norm_decay: bool = True
    kind: str = "sgd"
    bias_decay: bool = True
    rho: float = 0.9
    epsilon: float = 1e-7
    clip_norm: float | None = None
    table_decay: bool = True
    body_multiplier: float = 1.0
    beta_1: float = 0.9
    beta_2: float = 0.999
    layer_decay: float = 1.0


@dataclass(frozen=True)
class Schedule:
    """The learning rate over the training, as mmcv computes it.

    Attributes:
        policy: "step" or "cosine".
        steps: epochs at whose start the rate is multiplied by `gamma`.
        min_rate: least rate of "cosine".
        min_rate_ratio: least rate of "cosine" as a fraction of the first, or `None`.
        by_epoch: the rate changes once an epoch, else every iteration.
        warmup: `None` or "linear".
        warmup_length: in epochs, or in iterations when `warmup_by_epoch` is false.
        warmup_ratio: first rate of the warm-up as a fraction of the rate.
        after_warmup: the cosine begins where the warm-up ends, else it runs underneath.
    """

    policy: str
    steps: tuple[int, ...] = ()
    gamma: float = 0.1
    min_rate: float = 0.0
    min_rate_ratio: float | None = None
    by_epoch: bool = True
    warmup: str | None = None
    warmup_length: float = 0
    warmup_ratio: float = 0.1
    warmup_by_epoch: bool = False
    after_warmup: bool = False


@dataclass(frozen=True)
class Loss:
    """The training loss.

    Attributes:
        kind: "categorical" (softmax cross-entropy) or "binary" (sigmoid, one per class).
        weight: factor of the loss.
        auxiliary_weight: factor of the loss of the auxiliary head; 0 if there is none.
        label_smoothing: fraction of a target that is spread over all classes.
    """

    kind: str = "categorical"
    weight: float = 1.0
    auxiliary_weight: float = 0.0
    label_smoothing: float = 0.0


@dataclass(frozen=True)
class Norm:
    """How batch normalization behaves in training.

    Attributes:
        eval_mode: running statistics are used and not updated.
        frozen: scale and offset are not trained either.
        partial: as `frozen` and `eval_mode`, but for the first normalization.
        synchronized: statistics are shared by all devices.
    """

    eval_mode: bool = False
    frozen: bool = False
    partial: bool = False
    synchronized: bool = False


@dataclass(frozen=True)
class PreciseNorm:
    """Running statistics are recomputed from `iterations` batches every `interval` epochs."""

    iterations: int
    interval: int


@dataclass(frozen=True)
class Multigrid:
    """Varying clip shapes in training (arXiv:1912.00998).

    Attributes:
        long_cycle, short_cycle: which cycles are used.
        epoch_factor: factor by which the epochs are multiplied.
        long_cycle_factors: fraction of (frames, side) per stage of the long cycle.
        short_cycle_factors: fraction of the side per batch of the short cycle.
        side: full side in pixels.
    """

    long_cycle: bool
    short_cycle: bool
    epoch_factor: float
    long_cycle_factors: tuple[tuple[float, float], ...]
    short_cycle_factors: tuple[float, ...]
    side: int


@dataclass(frozen=True)
class Pretraining:
    """The masked pretraining of a network (VideoMAE, arXiv:2203.12602, V2, arXiv:2303.16727).

    Clips are sampled as in the row's training, and normalized as there.

    Attributes:
        optimizer, schedule, epochs, gradient_clip, batch_size_per_device, gpus: as those of a row.
        spatial: what is done to the pixels of a clip.
        mask_ratio: fraction of the tubelets that are hidden.
        decoder_mask_ratio: fraction of the tubelets that are not predicted; 0 for none.
        decoder_layers: blocks of the decoder.
        decoder_dim, decoder_heads: its width and heads; half the encoder's if not given.
        repeated_augmentation: clips that a batch has of each of its videos.
    """

    optimizer: Optimizer
    schedule: Schedule
    epochs: int
    batch_size_per_device: int
    gpus: int
    spatial: Spatial
    gradient_clip: float | None = None
    mask_ratio: float = 0.9
    decoder_mask_ratio: float = 0.0
    decoder_layers: int = 4
    decoder_dim: int | None = None
    decoder_heads: int | None = None
    repeated_augmentation: int = 1
