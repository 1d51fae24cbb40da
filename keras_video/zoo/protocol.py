"""How examples are prepared for a model, as stated by a row and stored in `.keras` files."""

import dataclasses
import json
from dataclasses import dataclass

from keras_video.zoo.clip_settings import PHASES, Audio, Normalize, Sampling, Spatial
from keras_video.zoo.limits import check_limits
from keras_video.zoo.parsing import build

# Input modalities of a model.
VIDEO, AUDIO, AUDIOVISUAL = "video", "audio", "audiovisual"


@dataclass(frozen=True)
class Protocol:
    """From a video to the input of a model, and from the views of a video to its scores.

    A model carries its test protocol: `VideoModel.protocol`. `Row.protocol` has those of a
    training as well, and `keras_video.data.protocol_dataset` builds the dataset they describe.

    Attributes:
        sampling: which frames are taken.
        normalize: of the pixels; `None` for audio, and for pixels that the model normalizes.
        spatial: resizing, crops and what else is done to the pixels before; `None` for audio.
        audio: the spectrogram; `None` for video.
        view_frames: frames of one view; `None` when all sampled frames are one view.
        score_average: "prob" (mean over the views of softmax) or "score" (mean of logits).
        max_views: views that go through the network at a time, or `None` for all.
        row: id of the zoo row these settings are of, or `None`.
        phase: "train" (examples are drawn at random), "val" or "test".
        flow: whether the frames that are mirrored at random are optical flow.

    Raises:
        ValueError: for an unknown phase.
    """

    sampling: Sampling
    normalize: Normalize | None = None
    spatial: Spatial | None = None
    audio: Audio | None = None
    view_frames: int | None = None
    score_average: str = "prob"
    max_views: int | None = None
    row: str | None = None
    phase: str = "test"
    flow: bool = False

    def __post_init__(self):
        if self.phase not in PHASES:
            raise ValueError(f"phase={self.phase!r}: expected one of {', '.join(PHASES)}.")

    @property
    def training(self) -> bool:
        """Whether examples are drawn at random, again in every epoch."""
        return self.phase == "train"

    @property
    def modality(self) -> str:
        """Input of the model: `VIDEO`, `AUDIO` or, with both, `AUDIOVISUAL`."""
        return modality(self)

    def facts(self) -> dict:
        """The settings as JSON values, the form of `VideoModel.preprocessing`.

        Fields that test protocols do not need are omitted if they hold their default.
        """
        facts = dataclasses.asdict(self)
        for field in dataclasses.fields(self):
            if field.name in ("phase", "flow") and facts[field.name] == field.default:
                del facts[field.name]
        return json.loads(json.dumps(facts))

    @staticmethod
    def read(facts) -> "Protocol":
        """The settings of `facts()`.

        Raises:
            ValueError: naming the place, the value found and what was expected.
        """
        settings = build(Protocol, facts, "preprocessing")
        check_limits(facts, "preprocessing")
        return settings


def modality(settings) -> str:
    """Input of a network: `VIDEO`, `AUDIO` or, with both, `AUDIOVISUAL`.

    Args:
        settings: a row or a protocol.
    """
    if settings.audio is None:
        return VIDEO
    return AUDIO if settings.spatial is None else AUDIOVISUAL


def row_protocol(row, phase) -> Protocol:
    """See `Row.protocol`."""
    if row.constructor is None:
        raise ValueError(f"{row.id} ({row.name}) is a {row.kind} row without a model of its own.")
    spatial = row.spatial and row.spatial.phase(phase)
    return Protocol(
        sampling=row.sampling.phase(phase),
        normalize=row.normalize,
        spatial=spatial,
        audio=row.audio,
        # Only testing uses several views of a video.
        view_frames=row.view_frames if phase == "test" else None,
        score_average=row.score_average or "prob",  # features are averaged unchanged
        max_views=row.max_views,
        row=row.id,
        phase=phase,
        flow=row.modality == "Flow" and bool(spatial.flip_probability),
    )
