"""Stages of residual networks over clips: image networks with kernels inflated over time."""

from functools import partial

from keras_video.layers.convolution import conv_bn, max_pool
from keras_video.layers.non_local import non_local
from keras_video.layers.residual import RESNET_BLOCKS, bottleneck, residual_stage


def clip_stem(
    x,
    *,
    width=64,
    kernel_size=(1, 7, 7),
    temporal_stride=1,
    pool_stride=1,
    pool_padding=1,
    conv=conv_bn,
    name="",
):
    """The first convolution, of stride 2, and a 1x3x3 max pooling of stride 2.

    Args:
        x: clips `(n, t, h, w, c)`.
        temporal_stride, pool_stride: temporal strides of the convolution and the pooling.
        pool_padding: zeros that the pooling pads around a frame.
        conv: `conv(x, filters, kernel_size, strides, name=...)`.
        name: prefix of the layers `conv1...` and `maxpool`.

    Returns:
        `(n, t', h/4, w/4, width)`.
    """
    x = conv(x, width, kernel_size, (temporal_stride, 2, 2), name=f"{name}conv1")
    padding = (0, pool_padding, pool_padding)
    return max_pool(x, (1, 3, 3), (pool_stride, 2, 2), padding=padding, name=f"{name}maxpool")


def clip_stage(x, stage, blocks, *, width=64, temporal_stride=1, name=""):
    """Stage `stage` (from 0) of a network over clips; all but the first halve height and width.

    Args:
        x: clips' features `(n, t, h, w, c)`.
        blocks: a function `(x, filters, strides, name=...)` per block.
        width: filters of the first stage; they double from stage to stage.
        name: prefix of the layers `layer{stage + 1}...`.
    """
    spatial_stride = 1 if stage == 0 else 2
    strides = (temporal_stride, spatial_stride, spatial_stride)
    return residual_stage(x, blocks, width * 2**stage, strides, name=f"{name}layer{stage + 1}")


def inflated_bottleneck(temporal_kernel=1, attention=None, last_gamma="ones"):
    """A bottleneck for clips, `(x, filters, strides, name=...)`.

    Args:
        temporal_kernel: temporal kernel size of the first convolution.
        attention: arguments of a `non_local` block after it, or `None` for none.
        last_gamma: see `bottleneck`.
    """
    conv1 = partial(conv_bn, kernel_size=(temporal_kernel, 1, 1))
    block = partial(bottleneck, conv1=conv1, last_gamma=last_gamma)
    if attention is None:
        return block

    def block_with_attention(x, filters, strides, *, name):
        x = block(x, filters, strides, name=name)
        return non_local(x, name=f"{name}_non_local_block", **attention)

    return block_with_attention


def inflated_blocks(
    depth, stage, temporal_kernels, attended=(False,), attention=None, last_gamma="ones"
):
    """The bottlenecks of a stage.

    Args:
        depth: 50, 101 or 152.
        stage: counted from 0.
        temporal_kernels: temporal kernel size per block, repeated to the stage's length.
        attended: whether a block is followed by a non-local block, repeated likewise.
        attention: arguments of the non-local blocks; `None` for none.
        last_gamma: see `bottleneck`.

    Raises:
        ValueError: for another depth.
    """
    check_bottleneck_depth(depth)
    return [
        inflated_bottleneck(
            temporal_kernels[index % len(temporal_kernels)],
            attention if attended[index % len(attended)] else None,
            last_gamma,
        )
        for index in range(RESNET_BLOCKS[depth][stage])
    ]


def check_bottleneck_depth(depth):
    """Raises a ValueError for a depth whose network is not built from bottlenecks."""
    if depth not in (50, 101, 152):
        raise ValueError(f"depth={depth!r}: expected 50, 101 or 152.")
