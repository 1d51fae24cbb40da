"""The lower bound of loading: decodes the packets needed for a set of frames and discards them.

No file is read, no image converted or resized, no frame stored. What remains is the cost of
decoding these frames in one thread, which every loader pays: videos and audio with FFmpeg, images
with TensorFlow's libjpeg. A plan has `packets`, their number, and `decode()`.
"""

import dataclasses
from pathlib import Path

import av
import numpy as np
import tensorflow as tf
from loading_worker import TEMPLATE


@dataclasses.dataclass(frozen=True)
class Stretch:
    """Packets from a keyframe to the last requested frame before decoding seeks ahead.

    Attributes:
        packets: in decoding order.
        timestamps: presentation timestamps of the requested frames.
    """

    packets: tuple
    timestamps: frozenset


@dataclasses.dataclass(frozen=True)
class Video:
    """The codec and packets needed to decode the requested frames of a video.

    Attributes:
        codec: FFmpeg's name of the codec.
        extradata: the codec's headers, bytes or None.
        stretches: `Stretch` objects in chronological order.
    """

    codec: str
    extradata: bytes | None
    stretches: tuple

    @property
    def packets(self):
        return sum(len(stretch.packets) for stretch in self.stretches)

    def decode(self):
        """Decodes the packets; returns the number of requested frames that were decoded.

        Other frames are skipped if no frame references them, as in the loader.
        """
        context = av.CodecContext.create(self.codec, "r")
        context.extradata = self.extradata
        context.thread_count = 1
        count = 0
        for stretch in self.stretches:
            for packet in stretch.packets:
                context.skip_frame = "DEFAULT" if packet.pts in stretch.timestamps else "NONREF"
                count += sum(frame.pts in stretch.timestamps for frame in context.decode(packet))
            count += sum(frame.pts in stretch.timestamps for frame in context.decode(None))
            context.flush_buffers()
        return count


@dataclasses.dataclass(frozen=True)
class Images:
    """JPEG images, each counted as a packet."""

    data: tuple

    @property
    def packets(self):
        return len(self.data)

    def decode(self):
        """Decodes the images; returns their number."""
        for image in self.data:
            tf.io.decode_jpeg(image, 3, dct_method="INTEGER_ACCURATE")
        return len(self.data)


@dataclasses.dataclass(frozen=True)
class AudioPackets:
    """The packets of a whole wav file, which loaders have to read from its start."""

    container: object
    data: tuple

    @property
    def packets(self):
        return len(self.data)

    def decode(self):
        """Decodes the packets; returns the number of samples."""
        return sum(frame.samples for packet in self.data for frame in packet.decode())


def plan(case, path, indices):
    """Reads what is needed to decode the frames `indices` of a file in a case of the benchmark."""
    return {"frames": _images, "audio": _audio}.get(case, video)(path, indices)


def video(path, indices):
    """The `Video` of some frames.

    Args:
        path: a video file whose packets carry one frame and one timestamp each.
        indices: frame numbers, in any order.

    Raises:
        ValueError: packets without timestamps.
    """
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        packets = [packet for packet in container.demux(stream) if packet.size]
        if any(packet.pts is None for packet in packets):
            raise ValueError(f"{path}: has packets without a timestamp")
        timestamps = np.sort([packet.pts for packet in packets if not packet.is_discard])
        requested = {int(pts) for pts in timestamps[np.unique(indices)]}
        return Video(context.name, context.extradata, tuple(_stretches(packets, requested)))


def _stretches(packets, requested):
    starts = [i for i, packet in enumerate(packets) if packet.is_keyframe]
    for start, end in zip(starts, [*starts[1:], len(packets)], strict=True):
        group = packets[start:end]
        timestamps = frozenset(packet.pts for packet in group if packet.pts in requested)
        if timestamps:
            last = max(i for i, packet in enumerate(group) if packet.pts in timestamps)
            yield Stretch(tuple(group[: last + 1]), timestamps)


def _images(folder, indices):
    numbers = np.unique(indices) + 1
    return Images(tuple(Path(folder, TEMPLATE.format(number)).read_bytes() for number in numbers))


def _audio(path, _):
    container = av.open(str(path))
    stream = container.streams.audio[0]
    return AudioPackets(
        container, tuple(packet for packet in container.demux(stream) if packet.size)
    )
