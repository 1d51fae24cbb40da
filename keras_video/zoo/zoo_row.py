"""A row of the published tables."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from keras_video.zoo.clip_settings import Audio, Normalize, Phases, Sampling, Spatial, Views
from keras_video.zoo.frozen import FrozenDict
from keras_video.zoo.labels import label_map
from keras_video.zoo.protocol import Protocol, row_protocol
from keras_video.zoo.published import Checkpoint, Fusion, Reported
from keras_video.zoo.training_settings import (
    InitialWeights,
    JointSource,
    Loss,
    Multigrid,
    Norm,
    Optimizer,
    PreciseNorm,
    Pretraining,
    Schedule,
    Source,
)

MMACTION2 = "MMAction2 0.24.1"

KINDS = (
    "model",
    "test_variant",
    "fusion",
    "aggregate",
    "benchmark_summary",
    "unlisted",
    "example",
)


# What a row's network is for: one class of a video, several labels, and both from other input.
TASKS = ("classification", "tagging", "audio", "audiovisual")


@dataclass(frozen=True, eq=False, repr=False)
class Row:
    """A published model: how it is built, fed, trained, tested, and how well it did.

    Attributes:
        id: table and position in the table, such as "t41_r00"; "u.." for unlisted configs; project
            and its name for the weights, such as "torchvision/r3d_18/KINETICS400_V1", for rows of
            other projects.
        name: the config's file name without its ending, or a readable one where none exists.
        kind: "model"; "test_variant" (another row's weights under another test protocol);
            "fusion", "aggregate", "benchmark_summary" (figures without a model of their own);
            "unlisted" (a config that no published table names, without weights); "example"
            (small settings of this package for its embedded dataset, which needs no lists).
        family: "tsn", "tsm", ...; the lower-case family of the page.
        dataset: data of the reported accuracy, such as "kinetics400".
        modality: "RGB", "Flow", "Audio", "RGB+Flow" or "RGB+Audio".
        label_map: name for `label_map()`, or `None` where no names are published.
        config: file name of the config whose settings these are, without its ending.
        resolution: stored size of the frames, as printed.
        constructor: class or function of `keras_video.applications`, or `None`.
        arguments: its keyword arguments besides `input_shape` and `classes`.
        input_shape: `(frames, height, width, channels)` of a training clip, or
            `(time, mels, 1)`; of a test clip where no training settings are published.
        classes: width of the last layer; `None` for feature extractors.
        checkpoints: published weights, the row's own first.
        initial_weights: weights the training starts from; `None` for training from scratch.
        normalize, sampling, spatial, audio, views: how a clip is made; see their classes.
        score_average: "prob" (mean over the views of softmax) or "score" (mean of logits).
        max_views: views that go through the network at a time (saves memory), or `None`.
        source: where the examples come from.
        joint: all sources of a joint training, the main one first; else empty.
        optimizer, schedule, epochs, loss, norm: the training; see their classes.
        gradient_clip: greatest 2-norm of all gradients together, or `None`.
        batch_size_per_device: examples per device and iteration.
        gpus: devices of the published training.
        evaluation_interval: epochs from one evaluation to the next.
        mixup_alpha, cutmix_alpha: parameter of the beta distribution, or `None`; where both are
            given, every batch is mixed in one of the two ways.
        cutmix_share: fraction of the batches that then use CutMix.
        repeated_augmentation: clips that a batch has of each of its videos, of the same frames and
            with draws of their own (arXiv:1901.09335); `batch_size_per_device` counts videos.
        ema: momentum of the moving average of the weights that is evaluated and saved, or `None`.
        precise_bn, multigrid: or `None`.
        pretraining: how the network is pretrained without labels, or `None`.
        reported: published accuracy.
        parameters: trainable numbers, head included.
        flops: multiply-adds of a forward pass as published, in units of one.
        fusion: for fusion rows.
        aggregate_of: ids of the rows whose mean an aggregate row is.
        trained_by: id of the row whose weights a test variant uses.
        published: false where the settings of these weights are not published; optimizer and
            schedule are then absent, and clips are made as `settings_from` does.
        settings_from: config that stands in for unpublished settings.
        notes: inconsistencies in the published tables.
        origin: the project that publishes the weights, and the version it was read from.
        dialect: name of the dialect of the checkpoint's names, see
            `keras_video.weights.dialects`; `None` to recognize it.
        license: of the weights, as an SPDX identifier; `None` where it was not read.
    """

    id: str
    name: str
    kind: str
    family: str
    dataset: str
    modality: str = "RGB"
    label_map: str | None = None
    config: str | None = None
    resolution: str | None = None
    constructor: str | None = None
    arguments: Mapping = field(default_factory=FrozenDict)
    input_shape: tuple[int, ...] | None = None
    classes: int | None = None
    parameters: int | None = None
    flops: int | None = None
    reported: Reported = Reported()
    checkpoints: tuple[Checkpoint, ...] = ()
    initial_weights: InitialWeights | None = None
    normalize: Normalize | None = None
    sampling: Phases[Sampling] | None = None
    spatial: Phases[Spatial] | None = None
    audio: Audio | None = None
    views: Views | None = None
    score_average: str | None = None
    max_views: int | None = None
    source: Phases[Source] | None = None
    joint: tuple[JointSource, ...] = ()
    optimizer: Optimizer | None = None
    schedule: Schedule | None = None
    gradient_clip: float | None = None
    epochs: int | None = None
    batch_size_per_device: int | None = None
    gpus: int | None = None
    loss: Loss | None = None
    norm: Norm = Norm()
    evaluation_interval: int | None = None
    mixup_alpha: float | None = None
    cutmix_alpha: float | None = None
    cutmix_share: float = 0.5
    repeated_augmentation: int = 1
    ema: float | None = None
    precise_bn: PreciseNorm | None = None
    multigrid: Multigrid | None = None
    pretraining: Pretraining | None = None
    fusion: Fusion | None = None
    aggregate_of: tuple[str, ...] = ()
    trained_by: str | None = None
    published: bool = True
    settings_from: str | None = None
    notes: tuple[str, ...] = ()
    origin: str = MMACTION2
    dialect: str | None = None
    license: str | None = None

    def __repr__(self):
        network = self.constructor or self.kind
        accuracy = "" if self.reported.top1 is None else f", top1={self.reported.top1}"
        return f"Row({self.id!r}, {self.name!r}, {network}, {self.dataset!r}{accuracy})"

    @property
    def task(self) -> str:
        """One of `TASKS`: "tagging" scores every label independently."""
        if self.audio is not None or "Audio" in self.modality:
            return "audio" if self.modality == "Audio" else "audiovisual"
        binary = self.loss is not None and self.loss.kind == "binary"
        several = binary or self.arguments.get("classifier_activation") == "sigmoid"
        return "tagging" if several else "classification"

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """Names of the outputs, or `None` where they are unknown or do not fit `classes`."""
        if self.label_map is None:
            return None
        names = label_map(self.label_map)
        return names if len(names) == self.classes else None

    @property
    def checkpoint(self) -> Checkpoint | None:
        """The row's own weights, or `None`."""
        return self.checkpoints[0] if self.checkpoints else None

    @property
    def batch_size(self) -> int | None:
        """Examples the learning rate is meant for, over all devices, where it is known."""
        gpus = (self.optimizer and self.optimizer.reference_gpus) or self.gpus
        return self.batch_size_per_device * gpus if self.batch_size_per_device and gpus else None

    @property
    def view_frames(self) -> int | None:
        """Frames of one view in testing; `None` when all sampled frames are one view (TSN)."""
        return self.views.frames if self.views and self.constructor != "TSN" else None

    @property
    def test_input_shape(self) -> tuple[int, ...] | None:
        """`input_shape` of one view under the test protocol, whose crops may be larger."""
        if self.views is None or self.spatial is None or self.spatial.test.crop is None:
            return self.input_shape
        size = self.spatial.test.crop.size
        return (self.views.frames, size, size, self.input_shape[-1])

    def protocol(self, phase: str = "test") -> Protocol:
        """How examples are made for this row's network: a `Protocol`.

        Args:
            phase: "train", "val" (one view of a video) or "test" (all views).

        Raises:
            ValueError: for a row without a model, another phase, or one without published settings.
        """
        return row_protocol(self, phase)

    def preprocessing(self) -> Protocol:
        """The protocol that models of this row carry: `protocol("test")`."""
        return self.protocol("test")

    def model(
        self,
        weights=None,
        *,
        input_shape=...,
        input_tensor=...,
        classes=...,
        classifier_activation=...,
        include_top=...,
        pooling=...,
        name=...,
        **overrides,
    ):
        """The row's network.

        Args:
            weights: `None` for random weights, `True` for the row's checkpoint, or what the
                constructor takes.
            input_shape, input_tensor, classes, classifier_activation, include_top, pooling, name:
                arguments of all constructors; `...` leaves them to the row. As `classes` a list of
                names does as well, which become the model's `class_names`.
            **overrides: further arguments of the row's constructor that replace the row's, such as
                `dropout`. Of `segments` and `input_shape`, one may be given and the other follows.

        Returns:
            `keras_video.applications.model.VideoModel` with its `protocol`, and with
            `class_names` when the names fit its classes.

        Raises:
            ValueError: for a row without a model, or `weights=True` for a row without weights.
        """
        from keras_video.zoo.building import build_row_model

        common = {
            "input_shape": input_shape,
            "input_tensor": input_tensor,
            "classes": classes,
            "classifier_activation": classifier_activation,
            "include_top": include_top,
            "pooling": pooling,
            "name": name,
        }
        given = {key: value for key, value in common.items() if value is not ...}
        return build_row_model(self, weights, {**given, **overrides})
