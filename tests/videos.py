"""Writes small video files for tests."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np


def write_video(path, frames, codec="libx264", rate=25, times=None, pixels="yuv420p", **options):
    """Encodes uint8 RGB `frames`; `times` are presentation times in units of 1/rate seconds."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, options=options)
        stream.height, stream.width, stream.pix_fmt = *frames[0].shape[:2], pixels
        stream.codec_context.time_base = Fraction(1, rate)
        for number, image in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), "rgb24")
            frame.pts = int(number if times is None else times[number])
            frame.time_base = Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return Path(path)


def moving_gradient(count, height=48, width=64, seed=0):
    """Distinct frames: a moving colored gradient with a faint static texture."""
    texture = np.random.default_rng(seed).integers(0, 40, (height, width, 3))
    rows, columns = np.mgrid[:height, :width]
    frames = []
    for number in range(count):
        wave = 80 + 60 * np.sin((columns + 3 * number) / 9 + rows / 13 + seed)
        channels = np.stack([wave, 180 - wave, np.full_like(wave, 4 * number % 180)], axis=-1)
        frames.append((channels + texture).astype(np.uint8))
    return frames
