"""One clip per video, as input of an exported file."""

import dataclasses

import numpy as np

from keras_video.data.decoding.videos import open_video
from keras_video.data.rows.presets import clip_sampler
from keras_video.data.transforms.basic import Resize
from keras_video.inference.pixel_input import ANY_SIZE, pixel_input
from keras_video.inference.single_view import single_view


@dataclasses.dataclass(frozen=True)
class FileClips:
    """Batches of one clip each, for `export_model` and `compare_exported`.

    Every iteration decodes the videos again.

    Attributes:
        records: a `keras_video.data.Record` for each video.
        model: the model, which has a `protocol`; one view per video is used.
        pixels, frame_size: see `export_model`. Frames of another size are resized to `frame_size`.
        labeled: whether to yield `(clips, labels)`.
    """

    records: tuple
    model: object
    pixels: bool = False
    frame_size: tuple | None = None
    labeled: bool = False

    def __len__(self):
        return len(self.records)

    def __iter__(self):
        sampling = clip_sampler(single_view(self.model).sampling)
        for record in self.records:
            video = open_video(record.path)
            indices = sampling(video.total_frames, training=False).reshape(-1)
            clips = self._prepared(video.read(indices)[None])
            yield (clips, np.array(record.labels)) if self.labeled else clips

    def _prepared(self, frames):
        whole = pixel_input(self.model, ANY_SIZE)
        if not self.pixels:
            return whole.in_python(frames)
        if self.frame_size is not None:
            known = None not in self.frame_size
            return np.asarray(Resize(size=self.frame_size)(frames)) if known else frames
        if None in self.model.input_shape[2:4]:
            return frames
        return dataclasses.replace(whole, normalize=None).in_python(frames).astype(np.uint8)
