"""How a model wants to be fed, as it travels with the model in its `.keras` file."""

import dataclasses
import json
from dataclasses import dataclass

from keras_video.zoo.clip_settings import Audio, Normalize, Sampling, Spatial
from keras_video.zoo.limits import check_limits
from keras_video.zoo.reading import build


@dataclass(frozen=True)
class Preprocessing:
    """From a video to the input of a model, under its test protocol.

    Attributes:
        sampling: which frames are taken.
        normalize: of the pixels; `None` for audio.
        spatial: resizing and crops; `None` for audio.
        audio: the spectrogram; `None` for video.
        view_frames: frames of one view; `None` when all sampled frames are one view.
        average: "prob" (mean over the views of softmax) or "score" (mean of logits).
        max_views: views that go through the network at once, or `None` for all.
        row: id of the zoo row these settings are of, or `None`.
    """

    sampling: Sampling
    normalize: Normalize | None = None
    spatial: Spatial | None = None
    audio: Audio | None = None
    view_frames: int | None = None
    average: str = "prob"
    max_views: int | None = None
    row: str | None = None

    def facts(self):
        """The settings as JSON values, the form of `VideoModel.preprocessing`."""
        return json.loads(json.dumps(dataclasses.asdict(self)))

    @staticmethod
    def read(facts):
        """The settings of `facts()`.

        Raises:
            ValueError: naming the place, the value found and what was expected.
        """
        settings = build(Preprocessing, facts, "preprocessing")
        check_limits(facts, "preprocessing")
        return settings
