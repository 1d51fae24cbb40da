"""A convolution over time as a sum over its taps, each a function of single frames."""

import math

from keras import ops


def sum_over_taps(x, taps, stride, convolve):
    """What a convolution over time gives whose tap `k` does `convolve(frames, k)` to frames.

    Frames that a tap does not need are left out before it, and frames beyond the clip count as
    zeros. Frames are taken with split, whose gradient is faster than a slice's on TensorFlow.

    Args:
        x: `(n, t, h, w, c)`.
        taps: an odd number of taps, centered.
        stride: over time.
        convolve: function of `(n, some frames, h, w, c)` and the tap, linear without a constant,
            frame by frame.

    Returns:
        `(n, ceil(t / stride), h', w', c')`.
    """
    phases = frame_phases(x, stride)
    total = None
    for tap in range(taps):
        shift, phase = divmod(tap - taps // 2, stride)
        frames = phases[phase]
        length = ops.shape(frames)[1]
        if isinstance(length, int) and abs(shift) >= length:
            continue  # all frames of this tap are beyond the clip
        part = convolve(shifted_frames(frames, shift), tap)
        part = pad_time(part, max(-shift, 0), max(shift, 0))
        total = part if total is None else total + part
    return total


def frame_phases(x, stride):
    """Every `stride`-th frame from 0, from 1, ...: as many tensors of as many frames."""
    if stride == 1:
        return [x]
    batch, frames, *image = ops.shape(x)
    rest = -frames % stride
    if not isinstance(rest, int) or rest:
        x = ops.concatenate([x, ops.zeros((batch, rest, *image), dtype=x.dtype)], axis=1)
    x = ops.reshape(x, (-1, (frames + rest) // stride, stride, *image))
    return [ops.squeeze(phase, axis=2) for phase in ops.split(x, stride, axis=2)]


def shifted_frames(x, shift):
    """Without the first `shift` frames, or the last `-shift`."""
    if shift == 0:
        return x
    if shift > 0:
        return ops.split(x, [shift], axis=1)[1]
    return ops.split(x, [ops.shape(x)[1] + shift], axis=1)[0]


def pad_time(x, before, after):
    """With so many frames of zeros before and after."""
    if before == after == 0:
        return x
    return ops.pad(x, [(0, 0), (before, after), *((0, 0),) * (len(x.shape) - 2)])


def same_padding(length, size, stride):
    """TensorFlow's "same": zeros before and after an axis of a length, for windows of a size."""
    total = max(size - (length % stride or stride), 0)
    return total // 2, total - total // 2


def strided_length(length, stride):
    """Positions of a centered convolution along an axis; `None` where its length is open."""
    return None if length is None else math.ceil(length / stride)
