"""User settings of a training run; the row defines everything else."""

import dataclasses
import importlib.util
import json

import keras

from keras_video import atomic

SOURCES = ("auto", "video", "rawframes", "flow", "images")
ON_ERROR = ("raise", "skip", "replace")
# File or folder name of each export format.
EXPORTED = {"tf_saved_model": "saved_model", "onnx": "model.onnx", "litert": "model.tflite"}
FORMATS = tuple(EXPORTED)


@dataclasses.dataclass(frozen=True)
class RunSettings:
    """The settings of a training run in addition to those of its row.

    `None` leaves a setting to the row. The settings are saved with the run, in `settings.json`.

    Attributes:
        row: name or id of a row of the zoo: its network, data settings and training.
        data: folder with a sub-folder of videos for each class, or packed shards of one label per
            example, split into training and evaluation examples; instead of the two lists.
        validation_split: fraction of the videos of `data`, of every class, used for evaluation.
        split_seed: of the choice of these videos.
        train_list, val_list: annotation files, folders with a sub-folder for each class, or packed
            shards (their folder or `manifest.json`); both or neither. Without them and `data` the
            run uses the embedded dataset of the row's family.
        data_root: folder that the paths of the lists are relative to.
        joint_lists, joint_roots: annotation files and folders of the other sources of a joint
            training, in the order of the row's `joint`.
        source: kind of example that the lists name, one of `SOURCES`; "auto" inspects the first
            line.
        class_names: file with a class name per line.
        work_dir: folder of the run; `work_dirs/<id of the row>` if `None`.
        weights: initial weights: "initial" (those that the published training started from), a
            value that the constructor accepts, or a file.
        resume: whether to resume a run in the folder; otherwise it is removed first.
        validate: whether to evaluate during the training, not only at its end.
        views: (clips, crops) of an evaluation.
        size: side of the crops in pixels; resizing is scaled with it.
        epochs: length of the training.
        batch_size: videos per step over all replicas.
        drop_remainder: whether a smaller last batch of an epoch is dropped.
        accumulate: number of steps whose gradients are accumulated before an update.
        eval_batch_size: videos per batch in evaluation.
        learning_rate: rate for the row's own batch size.
        small_data: whether the row is regularized for small datasets, see
            `keras_video.zoo.for_small_data`; the changes are printed.
        early_stopping: epochs without a better evaluation after which training stops.
        ema: momentum of the moving average of the weights, which is then evaluated and saved.
        seed: of weights, order and augmentation.
        deterministic: whether runs are bit-for-bit reproducible, also with several workers and
            when killed and resumed: given the same number of workers, the same kind of machines
            and the same versions. See `make_deterministic`.
        mixed_precision: whether layers compute in float16 (GPU) or bfloat16 (CPU).
        on_error: what to do with a video that cannot be read, one of `ON_ERROR`.
        export: formats of `keras_video.inference.EXPORT_FORMATS` to export the trained model to,
            in the folder of the run.
        lr_find: only search for a learning rate, in a short training with an increasing rate.
        dry_run: only run one step on noise in the row's shapes.

    Raises:
        ValueError: for a value out of range, or conflicting settings.
    """

    row: str
    data: str | None = None
    validation_split: float = 0.2
    split_seed: int = 0
    train_list: str | None = None
    val_list: str | None = None
    data_root: str | None = None
    joint_lists: tuple[str, ...] = ()
    joint_roots: tuple[str, ...] = ()
    source: str = "auto"
    class_names: str | None = None
    work_dir: str | None = None
    weights: str | None = None
    resume: bool = True
    validate: bool = True
    views: tuple[int, int] | None = None
    size: int | None = None
    epochs: int | None = None
    batch_size: int | None = None
    drop_remainder: bool = True
    accumulate: int | None = None
    eval_batch_size: int = 4
    learning_rate: float | None = None
    small_data: bool = False
    early_stopping: int | None = None
    ema: float | None = None
    seed: int = 0
    deterministic: bool = False
    mixed_precision: bool = False
    on_error: str = "raise"
    export: tuple[str, ...] = ()
    lr_find: bool = False
    dry_run: bool = False

    def __post_init__(self):
        for name, minimum in _MINIMUM.items():
            value = getattr(self, name)
            if value is not None and value < minimum:
                raise ValueError(f"{name}={value}: expected at least {minimum}.")
        if self.ema is not None and not 0 < self.ema < 1:
            raise ValueError(f"ema={self.ema}: expected a momentum between 0 and 1.")
        if self.learning_rate is not None and not self.learning_rate > 0:
            raise ValueError(f"learning_rate={self.learning_rate}: expected a positive rate.")
        for name, values in (("source", SOURCES), ("on_error", ON_ERROR)):
            if getattr(self, name) not in values:
                raise ValueError(
                    f"{name}={getattr(self, name)!r}: expected one of {', '.join(values)}."
                )
        self._check_data()
        self._check_effects()

    def _check_data(self):
        if bool(self.train_list) != bool(self.val_list):
            raise ValueError(
                f"train_list={self.train_list} val_list={self.val_list}: give both or neither."
            )
        if self.data and self.train_list:
            raise ValueError(
                f"data={self.data} train_list={self.train_list}: give a folder, or two lists."
            )
        if not 0 < self.validation_split < 1:
            raise ValueError(
                f"validation_split={self.validation_split}: expected a fraction between 0 and 1."
            )

    def _check_effects(self):
        """Rejects settings without effect."""
        lists = "train_list and val_list"
        requirements = {
            "data_root": (lists, self.train_list),
            "class_names": (f"data, or {lists}", self.data or self.train_list),
            "joint_lists": (lists, self.train_list),
            "joint_roots": (lists, self.train_list),
            "source": (f"data, or {lists}", self.data or self.train_list),
            "validation_split": ("data", self.data),
            "split_seed": ("data", self.data),
            "early_stopping": ("validate", self.validate),
        }
        for name, (required, given) in requirements.items():
            value = getattr(self, name)
            if not given and value != type(self).__dataclass_fields__[name].default:
                raise ValueError(f"{name}={value}: has no effect without {required}.")
        if self.lr_find and self.dry_run:
            raise ValueError("lr_find=True dry_run=True: give at most one of them.")
        for name in self.export:
            if name not in FORMATS:
                expected = ", ".join(FORMATS)
                raise ValueError(f"export={name!r}: expected one of {expected}.")

    def save(self, path):
        """Writes the settings as JSON."""
        atomic.write_text(path, json.dumps(dataclasses.asdict(self), indent=2) + "\n")


def check_exports(formats):
    """Checks that the packages for these export formats are installed, before training begins.

    Raises:
        ImportError: saying what to install.
        ValueError: on a backend other than TensorFlow.
    """
    if formats and keras.backend.backend() != "tensorflow":
        raise ValueError(
            f"export={','.join(formats)}: export requires the TensorFlow backend, received "
            f"{keras.backend.backend()!r}."
        )
    missing = [name for name in ("onnx", "tf2onnx") if importlib.util.find_spec(name) is None]
    if "onnx" in formats and missing:
        raise ImportError(f"export=onnx needs {', '.join(missing)}: pip install keras-video[onnx]")


# The minimum of each integer setting.
_MINIMUM = {
    "size": 32,
    "epochs": 1,
    "batch_size": 1,
    "accumulate": 2,
    "eval_batch_size": 1,
    "early_stopping": 1,
    "seed": 0,
    "split_seed": 0,
}
