"""Building blocks of clip transforms: sizes, random draws, cropping and resizing.

All functions work on `(..., height, width, channels)` with any number of leading axes (frames, or
views and frames), eagerly and in graphs whose sizes are only known at run time.
"""

import tensorflow as tf

Seed = tf.Tensor | tuple[int, int]


def frame_size(clip):
    """Height and width of a clip: ints if known during tracing, else int32 tensors."""
    clip = tf.convert_to_tensor(clip)
    if clip.shape.rank is None or clip.shape.rank < 4:
        raise ValueError(
            f"received a clip of shape {clip.shape}, expected (frames, height, width, channels) "
            "or (views, frames, height, width, channels) of known rank"
        )
    sizes = tf.shape(clip)
    return tuple(sizes[axis] if clip.shape[axis] is None else clip.shape[axis] for axis in (-3, -2))


def size_pair(name, size):
    """A validated (height, width) from a number or a pair."""
    sides = (size, size) if isinstance(size, int) else size
    pair = isinstance(sides, tuple | list) and len(sides) == 2
    if not pair or not all(isinstance(side, int) and side > 0 for side in sides):
        raise ValueError(
            f"received {name}={size!r}, expected an integer number of pixels or (height, width)"
        )
    return tuple(sides)


def check_range(name, limits, lowest=0.0):
    """Raises a ValueError unless `limits` is an ordered pair above `lowest`."""
    low, high = limits
    if not lowest < low <= high:
        raise ValueError(
            f"received {name}={limits!r}, expected (low, high) with {lowest:g} < low <= high"
        )


def uniform(transform, seed, count, dtype=tf.float32):
    """`count` numbers drawn uniformly from [0, 1)."""
    if seed is None:
        raise ValueError(
            f"{type(transform).__name__} draws at random: received seed=None, expected two integers"
        )
    return tf.random.stateless_uniform([count], seed, dtype=dtype)


def fold_in(seed, number):
    """Derives the seed of the `number`-th of several draws; None stays None."""
    if seed is None:
        return None
    return tf.random.experimental.stateless_fold_in(tf.convert_to_tensor(seed, tf.int32), number)


def dirichlet_weights(seed, count, alpha):
    """`count` float32 numbers that add up to 1, from the symmetric Dirichlet distribution.

    The first of two is a draw from the beta distribution of `(alpha, alpha)`.
    """
    # For small `alpha`, draws would underflow to zero in float32.
    draws = tf.random.stateless_gamma([count], seed, tf.cast(alpha, tf.float64), dtype=tf.float64)
    return tf.cast(draws / tf.reduce_sum(draws), tf.float32)


def randint_below(draw, count):
    """An integer in [0, count) from a number drawn from [0, 1)."""
    count = tf.convert_to_tensor(count, tf.int32)
    integer = tf.cast(tf.floor(draw * tf.cast(count, draw.dtype)), tf.int32)
    # In float32 the product of a draw just below 1 can round up to `count`.
    return tf.minimum(integer, count - 1)


def check_fits(transform, clip, size):
    """Rejects crops larger than the frame.

    Raises:
        ValueError: during tracing, if the size of the frames is known; otherwise the graph raises
            tf.errors.InvalidArgumentError.
    """
    clip = tf.convert_to_tensor(clip)
    height, width = frame_size(clip)
    message = (
        f"{type(transform).__name__}: received frames smaller than the crop, expected at least "
        f"{size[0]}x{size[1]} (height x width); resize to a larger size first. Received"
    )
    if isinstance(height, int) and isinstance(width, int):
        if height < size[0] or width < size[1]:
            raise ValueError(f"{message} {height}x{width}")
        return clip
    fits = tf.logical_and(height >= size[0], width >= size[1])
    received = tf.strings.format("{}x{}", (height, width))
    check = tf.debugging.Assert(fits, [message, received])
    # In eager mode there is no operation to depend on: the check has already run.
    with tf.control_dependencies([] if check is None else [check]):
        return tf.identity(clip)


def check_rgb(transform, clip):
    """Rejects clips that are not uint8 images with three channels."""
    clip = tf.convert_to_tensor(clip)
    if clip.dtype != tf.uint8 or clip.shape[-1] != 3:
        raise ValueError(
            f"{type(transform).__name__}: received a clip of {clip.dtype.name} with "
            f"{clip.shape[-1]} channels, expected uint8 and 3 (red, green, blue); put it "
            "before Normalize"
        )
    return clip


def each_frame(function, clip):
    """Applies a shape-preserving function of `(frames, height, width, channels)` to a clip."""
    if clip.shape.rank == 4:
        return tf.ensure_shape(function(clip), clip.shape)
    shape = tf.shape(clip)
    frames = tf.reshape(clip, tf.concat([[-1], shape[-3:]], axis=0))
    frames.set_shape([None, *clip.shape[-3:]])
    return tf.ensure_shape(tf.reshape(function(frames), shape), clip.shape)


def crop_frames(clip, top, left, height, width):
    """Crops a box of the given size at (top, left) from all frames."""
    clip = tf.convert_to_tensor(clip)
    cropped = clip[..., top : top + height, left : left + width, :]
    known = [size if isinstance(size, int) else None for size in (height, width)]
    cropped.set_shape([*clip.shape[:-3], *known, clip.shape[-1]])
    return cropped


def resize_frames(clip, height, width):
    """Resizes frames bilinearly, with pixel centers and without antialiasing, as OpenCV does.

    The dtype is preserved; uint8 values are rounded.
    """
    clip = tf.convert_to_tensor(clip)
    current = frame_size(clip)
    known = all(isinstance(size, int) for size in (*current, height, width))
    if known:
        return clip if current == (height, width) else _interpolate(clip, height, width)
    same = tf.logical_and(tf.equal(current[0], height), tf.equal(current[1], width))
    resized = tf.cond(same, lambda: clip, lambda: _interpolate(clip, height, width))
    sizes = [size if isinstance(size, int) else None for size in (height, width)]
    resized.set_shape([*clip.shape[:-3], *sizes, clip.shape[-1]])
    return resized


def _interpolate(clip, height, width):
    shape = tf.shape(clip)
    size = tf.stack([height, width])
    images = tf.reshape(clip, tf.concat([[tf.reduce_prod(shape[:-3])], shape[-3:]], axis=0))

    def resize(images):
        return tf.raw_ops.ResizeBilinear(images=images, size=size, half_pixel_centers=True)

    if clip.dtype == tf.uint8:
        # TensorFlow resizes float32 twice as fast; conversion costs a third of that gain per pixel.
        convert = tf.reduce_prod(tf.shape(images)[1:3]) < 3 * tf.reduce_prod(size)
        resized = tf.cond(
            convert, lambda: resize(tf.cast(images, tf.float32)), lambda: resize(images)
        )
        resized = resized + 0.5
    else:
        resized = resize(images)
    resized = tf.cast(resized, clip.dtype)
    return tf.reshape(resized, tf.concat([shape[:-3], size, shape[-1:]], axis=0))
