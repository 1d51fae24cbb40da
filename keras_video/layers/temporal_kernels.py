"""A temporal convolution as a sum over the positions of its kernel, each a per-frame function."""

import math

from keras import ops


def sum_over_kernel(x, kernel_size, stride, convolve):
    """A temporal convolution whose kernel applies `convolve(frames, k)` at position `k`.

    Frames that a position does not need are dropped first, and frames outside the clip count as
    zeros. Frames are selected with split, whose gradient is faster than a slice's on TensorFlow.

    Args:
        x: `(n, t, h, w, c)`.
        kernel_size: temporal kernel size, odd; the kernel is centered.
        stride: over time.
        convolve: function of `(n, some frames, h, w, c)` and the position in the kernel, linear
            without a constant, frame by frame.

    Returns:
        `(n, ceil(t / stride), h', w', c')`.
    """
    phases = frame_phases(x, stride)
    total = None
    for position in range(kernel_size):
        shift, phase = divmod(position - kernel_size // 2, stride)
        frames = phases[phase]
        length = ops.shape(frames)[1]
        if isinstance(length, int) and abs(shift) >= length:
            continue  # all frames of this position are outside the clip
        part = convolve(shifted_frames(frames, shift), position)
        part = pad_time(part, max(-shift, 0), max(shift, 0))
        total = part if total is None else total + part
    return total


def frame_phases(x, stride):
    """Every `stride`-th frame from 0, from 1, ...: `stride` tensors of equal length."""
    if stride == 1:
        return [x]
    batch, frames, *image = ops.shape(x)
    rest = -frames % stride
    if not isinstance(rest, int) or rest:
        x = ops.concatenate([x, ops.zeros((batch, rest, *image), dtype=x.dtype)], axis=1)
    x = ops.reshape(x, (-1, (frames + rest) // stride, stride, *image))
    return [ops.squeeze(phase, axis=2) for phase in ops.split(x, stride, axis=2)]


def shifted_frames(x, shift):
    """`x` without its first `shift` frames, or its last `-shift`."""
    if shift == 0:
        return x
    if shift > 0:
        return ops.split(x, [shift], axis=1)[1]
    return ops.split(x, [ops.shape(x)[1] + shift], axis=1)[0]


def pad_time(x, before, after):
    """`x` with the given number of zero frames before and after."""
    if before == after == 0:
        return x
    return ops.pad(x, [(0, 0), (before, after), *((0, 0),) * (len(x.shape) - 2)])


def same_padding(length, size, stride):
    """TensorFlow's "same" padding: zeros before and after an axis of the given length."""
    total = max(size - (length % stride or stride), 0)
    return total // 2, total - total // 2


def strided_length(length, stride):
    """Output length of a centered convolution along an axis; `None` if the length is unknown."""
    return None if length is None else math.ceil(length / stride)
