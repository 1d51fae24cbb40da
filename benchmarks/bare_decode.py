"""The decoder's own limit: the packets that a set of frames takes, decoded and thrown away.

No file is read, no picture converted or resized, no frame kept: what remains is what any loader
has to pay that decodes these frames in one thread: of videos and sound with FFmpeg, of images
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
    """Packets from a keyframe to the last wanted frame before decoding jumps ahead.

    Attributes:
        packets: in decoding order.
        wanted: presentation timestamps of the frames asked for.
    """

    packets: tuple
    wanted: frozenset


@dataclasses.dataclass(frozen=True)
class Video:
    """What decoding the wanted frames of one video takes.

    Attributes:
        codec: FFmpeg's name of it.
        extradata: the codec's headers, bytes or None.
        stretches: `Stretch` objects in order of time.
    """

    codec: str
    extradata: bytes | None
    stretches: tuple

    @property
    def packets(self):
        return sum(len(stretch.packets) for stretch in self.stretches)

    def decode(self):
        """Decodes the packets; returns the number of wanted frames that came out.

        Frames that nobody wants and no other frame refers to are passed over, as the loader does.
        """
        context = av.CodecContext.create(self.codec, "r")
        context.extradata = self.extradata
        context.thread_count = 1
        found = 0
        for stretch in self.stretches:
            for packet in stretch.packets:
                context.skip_frame = "DEFAULT" if packet.pts in stretch.wanted else "NONREF"
                found += sum(frame.pts in stretch.wanted for frame in context.decode(packet))
            found += sum(frame.pts in stretch.wanted for frame in context.decode(None))
            context.flush_buffers()
        return found


@dataclasses.dataclass(frozen=True)
class Images:
    """JPEG images, each of them a packet."""

    data: tuple

    @property
    def packets(self):
        return len(self.data)

    def decode(self):
        """Decodes the images; returns their number."""
        for one in self.data:
            tf.io.decode_jpeg(one, 3, dct_method="INTEGER_ACCURATE")
        return len(self.data)


@dataclasses.dataclass(frozen=True)
class Sound:
    """The whole of a wav file, which loaders have to read from its start."""

    container: object
    data: tuple

    @property
    def packets(self):
        return len(self.data)

    def decode(self):
        """Decodes the packets; returns the number of samples."""
        return sum(frame.samples for packet in self.data for frame in packet.decode())


def plan(case, path, indices):
    """Reads from a file what decoding its frames `indices` takes in a case of the benchmark."""
    return {"frames": _images, "audio": _sound}.get(case, video)(path, indices)


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
        packets = [one for one in container.demux(stream) if one.size]
        if any(one.pts is None for one in packets):
            raise ValueError(f"{path}: has packets without a timestamp")
        shown = np.sort([one.pts for one in packets if not one.is_discard])
        wanted = {int(one) for one in shown[np.unique(indices)]}
        return Video(context.name, context.extradata, tuple(_stretches(packets, wanted)))


def _stretches(packets, wanted):
    starts = [i for i, one in enumerate(packets) if one.is_keyframe]
    for start, end in zip(starts, [*starts[1:], len(packets)], strict=True):
        group = packets[start:end]
        here = frozenset(one.pts for one in group if one.pts in wanted)
        if here:
            last = max(i for i, one in enumerate(group) if one.pts in here)
            yield Stretch(tuple(group[: last + 1]), here)


def _images(folder, indices):
    numbers = np.unique(indices) + 1
    return Images(tuple(Path(folder, TEMPLATE.format(one)).read_bytes() for one in numbers))


def _sound(path, _):
    container = av.open(str(path))
    stream = container.streams.audio[0]
    return Sound(container, tuple(one for one in container.demux(stream) if one.size))
