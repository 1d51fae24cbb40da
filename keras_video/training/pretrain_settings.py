"""User settings of a masked pretraining; the row defines everything else."""

import dataclasses
import json

from keras_video import atomic
from keras_video.training.settings import ON_ERROR

# The minimum of each integer setting.
_MINIMUM = {"size": 32, "epochs": 1, "batch_size": 1, "seed": 0}


@dataclasses.dataclass(frozen=True)
class PretrainSettings:
    """The settings of a masked pretraining in addition to those of its row.

    `None` leaves a setting to the row. The settings are saved with the run, in `settings.json`.

    Attributes:
        row: name or id of a row of the zoo with pretraining settings.
        videos: folder of videos, or a list of their paths; labels are ignored. `None` for the
            videos of the embedded dataset of the row's family.
        data_root: folder that the paths of a list are relative to.
        work_dir: folder of the run; `work_dirs/<name of the row>_pretraining` if `None`.
        weights: checkpoint of a masked autoencoder to start from; `None` for random weights.
        resume: whether to resume a run in the folder; otherwise it is removed first.
        size: side of the crops in pixels; resizing is scaled with it.
        epochs: length of the training.
        batch_size: videos per step over all replicas.
        learning_rate: rate for the row's own batch size.
        seed: of weights, order, masks and augmentation.
        deterministic: whether operations are bit-for-bit reproducible.
        mixed_precision: whether layers compute in float16 (GPU) or bfloat16 (CPU).
        on_error: what to do with a video that cannot be read, one of `ON_ERROR`.

    Raises:
        ValueError: for a value out of range, or conflicting settings.
    """

    row: str
    videos: str | None = None
    data_root: str | None = None
    work_dir: str | None = None
    weights: str | None = None
    resume: bool = True
    size: int | None = None
    epochs: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    seed: int = 0
    deterministic: bool = False
    mixed_precision: bool = False
    on_error: str = "raise"

    def __post_init__(self):
        for name, minimum in _MINIMUM.items():
            value = getattr(self, name)
            if value is not None and value < minimum:
                raise ValueError(f"{name}={value}: expected at least {minimum}.")
        if self.learning_rate is not None and not self.learning_rate > 0:
            raise ValueError(f"learning_rate={self.learning_rate}: expected a positive rate.")
        if self.on_error not in ON_ERROR:
            raise ValueError(f"on_error={self.on_error!r}: expected one of {', '.join(ON_ERROR)}.")
        if self.data_root and not self.videos:
            raise ValueError(f"data_root={self.data_root}: has no effect without videos.")

    def save(self, path):
        """Writes the settings as JSON."""
        atomic.write_text(path, json.dumps(dataclasses.asdict(self), indent=2) + "\n")
