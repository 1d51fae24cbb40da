"""Worker: keras_video's loader, or with --bare only the decoding that it cannot do without.

loading.py starts it.
"""

from concurrent.futures import ThreadPoolExecutor

import av
import bare_decode
import loading_worker
import numpy as np
import tensorflow as tf
import worker

from keras_video.data.decoding.videos import open_video
from keras_video.data.pipelines.clips import video_dataset
from keras_video.data.sampling import SampleFrames
from keras_video.data.steps.basic import (
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

# Sampler, steps, frames of one view, training.
CASES = {
    "sparse": (
        SampleFrames(clip_len=1, num_clips=8),
        (SHORT_SIDE, MULTI_SCALE, Flip(), NORMALIZE),
        None,
        True,
    ),
    "dense": (
        SampleFrames(clip_len=32, frame_interval=2),
        (SHORT_SIDE, RandomResizedCrop((224, 224)), Flip(), NORMALIZE),
        32,
        True,
    ),
    "views": (
        SampleFrames(clip_len=8, frame_interval=8, num_clips=10),
        (SHORT_SIDE, ThreeCrop((256, 256)), NORMALIZE),
        8,
        False,
    ),
}


def loader(args):
    """The loader; returns `(run, facts)`."""
    sampling, steps, view_frames, training = CASES[args.case]
    dataset = video_dataset(
        args.list,
        sampling=sampling,
        steps=steps,
        view_frames=view_frames,
        training=training,
        batch_size=args.batch_size,
        num_parallel_calls=args.calls,
    )

    def run():
        return [tuple(clips.shape) for clips, _ in dataset]

    facts = loading_worker.facts_of(run())
    return run, facts | {"av": av.__version__, "tensorflow": tf.__version__}


def bare(args):
    """Bare decoding of frames sampled as the loader samples them; returns `(run, facts)`."""
    sampling, _, _, training = CASES[args.case]
    rng = np.random.default_rng(0)
    plans = []
    for path, _ in loading_worker.entries(args.list):
        frames = sampling(open_video(path).total_frames, training=training, rng=rng)
        plans.append(bare_decode.plan(path, frames))
    pool = ThreadPoolExecutor(args.calls)

    def run():
        return sum(pool.map(bare_decode.decode, plans))

    packets = sum(len(stretch.packets) for one in plans for stretch in one.stretches)
    return run, {"packets": packets, "wanted frames": run()}


def prepare(args):
    """Builds what is to be timed; returns `(run, facts)`."""
    tf.config.set_visible_devices([], "GPU")
    return (bare if args.bare else loader)(args)


if __name__ == "__main__":
    worker.serve(lambda: prepare(loading_worker.arguments()))
