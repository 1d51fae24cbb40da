"""Worker: keras_video's loader, or with --bare only the decoding that it requires.

Started by loading.py.
"""

import dataclasses
from concurrent.futures import ThreadPoolExecutor

import av
import bare_decode
import loading_worker
import numpy as np
import tensorflow as tf
import worker

from keras_video.data.annotations.formats import frame_lines
from keras_video.data.audio.sources import Waveforms
from keras_video.data.audio.spectrogram import Amplify, MelSpectrogram
from keras_video.data.pipelines.audio import audio_dataset
from keras_video.data.pipelines.clips import video_dataset
from keras_video.data.sampling import SampleFrames
from keras_video.data.sources.raw_frames import RawFrames
from keras_video.data.sources.videos import Videos
from keras_video.data.transforms.basic import (
    Flip,
    MultiScaleCrop,
    Normalize,
    RandomResizedCrop,
    Resize,
    ThreeCrop,
)

SHORT_SIDE = Resize(short_side=256)
NORMALIZE = Normalize((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
MULTI_SCALE = MultiScaleCrop((224, 224), scales=(1, 0.875, 0.75, 0.66))
SEGMENTS = SampleFrames(clip_len=1, num_clips=8)


@dataclasses.dataclass(frozen=True)
class Case:
    """What is loaded, and how; see `keras_video.data.video_dataset`."""

    sampling: object
    transforms: tuple
    view_frames: int | None = None
    training: bool = True
    source: object = Videos()

    def dataset(self, file, **options):
        """The dataset of the files in a list."""
        options |= {"sampling": self.sampling, "source": self.source, "transforms": self.transforms}
        options |= {"training": self.training, "annotation_format": frame_lines}
        if isinstance(self.source, Waveforms):
            return audio_dataset(file, **options)
        return video_dataset(file, view_frames=self.view_frames, **options)


CASES = {
    "sparse": Case(SEGMENTS, (SHORT_SIDE, MULTI_SCALE, Flip(), NORMALIZE)),
    "dense": Case(
        SampleFrames(clip_len=32, frame_interval=2),
        (SHORT_SIDE, RandomResizedCrop((224, 224)), Flip(), NORMALIZE),
        view_frames=32,
    ),
    "views": Case(
        SampleFrames(clip_len=8, frame_interval=8, num_clips=10),
        (SHORT_SIDE, ThreeCrop((256, 256)), NORMALIZE),
        view_frames=8,
        training=False,
    ),
    "frames": Case(
        SEGMENTS,
        (SHORT_SIDE, MULTI_SCALE, Flip(), NORMALIZE),
        source=RawFrames(loading_worker.TEMPLATE),
    ),
    "audio": Case(
        SampleFrames(clip_len=64), (Amplify(1.5), MelSpectrogram()), source=Waveforms(length=32000)
    ),
}


def loader(args):
    """The loader; returns `(run, facts)`."""
    options = {"batch_size": args.batch_size, "num_parallel_calls": args.calls}
    dataset = CASES[args.case].dataset(args.list, **options)

    def run():
        return [tuple(clips.shape) for clips, _ in dataset]

    facts = loading_worker.facts_of(run())
    return run, facts | {"av": av.__version__, "tensorflow": tf.__version__}


def bare_decoding(args):
    """Bare decoding of frames sampled as in the loader; returns `(run, facts)`."""
    case, rng = CASES[args.case], np.random.default_rng(0)
    plans = []
    for path, total, _ in loading_worker.entries(args.list):
        frames = case.sampling(total, training=case.training, rng=rng)
        plans.append(bare_decode.plan(args.case, path, frames))
    pool = ThreadPoolExecutor(args.calls)

    def run():
        return sum(pool.map(lambda plan: plan.decode(), plans))

    return run, {"packets": sum(plan.packets for plan in plans), "decoded": run()}


def prepare(args):
    """Builds the subject; returns `(run, facts)`."""
    tf.config.set_visible_devices([], "GPU")
    return (bare_decoding if args.bare else loader)(args)


if __name__ == "__main__":
    worker.serve(lambda: prepare(loading_worker.parse_arguments()))
