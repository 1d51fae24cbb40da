"""Smaller copies of videos, which load faster."""

from fractions import Fraction

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from keras_video.data.decoding.videos import opened, to_rgb


def resize_video(video, target, short_side=256, *, quality=20, keyframe_every=None):
    """Encodes a video anew (H.264) with a smaller short side; sound is kept as it is.

    Frames keep their number and times. They are turned as the file's rotation says, and not
    enlarged. An odd side loses its last line.

    Args:
        video: the file.
        target: the new file, such as `a.mp4`.
        short_side: length in pixels of the short side, even.
        quality: constant rate factor of the encoder; smaller is better, 18 to 28 is usual.
        keyframe_every: greatest distance of keyframes in frames. Small ones make large files in
            which few frames far apart are read faster. None leaves it to the encoder.

    Raises:
        DecodeError: the video is damaged.
        ValueError: for an odd short side.
    """
    if short_side % 2 or short_side < 2:
        raise ValueError(f"received short_side={short_side}, expected an even number")
    options = {"crf": str(quality), "preset": "veryfast"}
    if keyframe_every is not None:
        options["g"] = str(keyframe_every)
    with opened(str(video)) as (source, stream), av.open(str(target), "w") as out:
        sound = next(iter(source.streams.audio), None)
        copied = None if sound is None else out.add_stream_from_template(sound)
        smaller = _Smaller(out, stream, short_side, options)
        for packet in source.demux([one for one in (stream, sound) if one is not None]):
            if packet.stream is stream:
                for frame in packet.decode():
                    smaller.write(frame)
            elif packet.dts is not None:
                packet.stream = copied
                out.mux(packet)
        smaller.close()


class _Smaller:
    """Encodes frames of a stream smaller, at their own times."""

    def __init__(self, out, stream, short_side, options):
        self._out, self._short_side = out, short_side
        self._time_base, self._reformatter = stream.time_base, VideoReformatter()
        rate = stream.average_rate or stream.guessed_rate or Fraction(25)
        self._stream = out.add_stream("libx264", rate=rate, options=options)
        self._stream.pix_fmt, self._stream.codec_context.time_base = "yuv420p", stream.time_base
        self._stream.codec_context.thread_count = 1
        self._sized = False

    def write(self, frame):
        short_side = min(self._short_side, frame.width, frame.height)
        image = to_rgb(self._reformatter, short_side, frame)
        height, width = (side // 2 * 2 for side in image.shape[:2])
        if not self._sized:
            self._stream.height, self._stream.width, self._sized = height, width, True
        image = np.ascontiguousarray(image[:height, :width])
        made = av.VideoFrame.from_ndarray(image, "rgb24")
        made.pts, made.time_base = frame.pts, self._time_base
        self._out.mux(self._stream.encode(made))

    def close(self):
        self._out.mux(self._stream.encode())
