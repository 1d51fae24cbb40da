"""The decoder's own limit: the packets that a set of frames takes, decoded and thrown away.

No file is read, no picture converted or resized, no frame kept: what remains is what any loader
has to pay that decodes these frames with FFmpeg in one thread.
"""

import dataclasses

import av
import numpy as np


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
class Plan:
    """What decoding the wanted frames of one file takes.

    Attributes:
        codec: FFmpeg's name of it.
        extradata: the codec's headers, bytes or None.
        stretches: `Stretch` objects in order of time.
    """

    codec: str
    extradata: bytes | None
    stretches: tuple


def plan(path, indices):
    """Reads from a file what decoding the frames `indices` takes.

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
        return Plan(context.name, context.extradata, tuple(_stretches(packets, wanted)))


def _stretches(packets, wanted):
    starts = [i for i, one in enumerate(packets) if one.is_keyframe]
    for start, end in zip(starts, [*starts[1:], len(packets)], strict=True):
        group = packets[start:end]
        here = frozenset(one.pts for one in group if one.pts in wanted)
        if here:
            last = max(i for i, one in enumerate(group) if one.pts in here)
            yield Stretch(tuple(group[: last + 1]), here)


def decode(one):
    """Decodes a `Plan`; returns the number of wanted frames that came out.

    Frames that nobody wants and no other frame refers to are passed over, as the loader does.
    """
    context = av.CodecContext.create(one.codec, "r")
    context.extradata = one.extradata
    context.thread_count = 1
    found = 0
    for stretch in one.stretches:
        for packet in stretch.packets:
            context.skip_frame = "DEFAULT" if packet.pts in stretch.wanted else "NONREF"
            found += sum(frame.pts in stretch.wanted for frame in context.decode(packet))
        found += sum(frame.pts in stretch.wanted for frame in context.decode(None))
        context.flush_buffers()
    return found
