"""Writes small audio files, and videos with audio, for tests."""

from fractions import Fraction

import av
import numpy as np


def tone(seconds=1.0, rate=16000, hertz=440.0):
    """A sine wave, float64 `(samples,)`."""
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


def add_audio_stream(container, codec, runs, rate=16000, layout="mono"):
    """Adds an audio stream; `runs` are pairs of a start in seconds and a waveform `(samples,)`."""
    stream = container.add_stream(codec, rate=rate, layout=layout)
    return stream, lambda: _encode(container, stream, runs, rate, layout)


def _encode(container, stream, runs, rate, layout):
    if not stream.codec_context.is_open:
        stream.codec_context.open()
    size = stream.codec_context.frame_size or 1024
    channels = len(av.AudioLayout(layout).channels)
    for start, wave in runs:
        for place in range(0, len(wave), size):
            part = np.tile(wave[place : place + size].astype(np.float32), (channels, 1))
            part = np.pad(part, ((0, 0), (0, size - part.shape[1])))
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(part), "fltp", layout)
            frame.rate, frame.time_base = rate, Fraction(1, rate)
            frame.pts = round(start * rate) + place
            container.mux(stream.encode(frame))
    container.mux(stream.encode())


def write_audio_file(path, codec, wave, rate=16000, layout="mono", **options):
    """Writes an audio file; `options` are muxer options of the container."""
    with av.open(str(path), "w", options=options) as container:
        _, encode = add_audio_stream(container, codec, [(0, wave)], rate, layout)
        encode()
    return path


def write_audiovisual(path, images, runs, *, times=None, codec="aac", rate=16000, **options):
    """Writes a video with audio.

    Args:
        path: the file to write.
        images: uint8 RGB frames.
        runs: see `add_audio_stream`.
        times: presentation times of the frames in seconds; None means 25 frames per second.
        codec, rate: codec and sampling rate of the audio.
        **options: `video_codec`, `layout`, `audio_first`.
    """
    times = np.arange(len(images)) / 25 if times is None else times
    with av.open(str(path), "w") as container:
        codec_of_video = options.get("video_codec", "libx264")
        video = container.add_stream(codec_of_video, rate=25)
        video.height, video.width, video.pix_fmt = *images[0].shape[:2], "yuv420p"
        clock = Fraction(1, 25 if codec_of_video.startswith("mpeg") else 1000)
        video.codec_context.time_base = clock
        _, encode = add_audio_stream(container, codec, runs, rate, options.get("layout", "mono"))
        for image, time in zip(images, times, strict=True):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), "rgb24")
            frame.pts, frame.time_base = round(time / clock), clock
            container.mux(video.encode(frame))
        container.mux(video.encode())
        encode()
    return path
