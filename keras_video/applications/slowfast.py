"""SlowFast: a wide pathway for few frames and a narrow one for many."""

from keras import layers

from keras_video.applications.docstrings import documented
from keras_video.applications.model import build_model, classifier, clip_input, pool_features
from keras_video.applications.preprocessing import decode_predictions, preprocess_input
from keras_video.layers.convolution import conv_bn, convolution
from keras_video.layers.drop_pathway import DropPathway
from keras_video.layers.inflated import clip_stage, clip_stem, inflated_blocks
from keras_video.layers.stride_frames import StrideFrames

__all__ = ["SlowFast", "decode_predictions", "preprocess_input"]

# Per stage: temporal kernel size of the first convolution of every block.
SLOW_KERNELS = (1, 1, 3, 3)
FAST_KERNELS = (3, 3, 3, 3)
WIDTH = 64


@documented
def SlowFast(
    include_top=True,
    weights=None,
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=400,
    classifier_activation="softmax",
    name="slowfast",
    *,
    slow_depth=50,
    fast_depth=50,
    tau=8,
    alpha=8,
    beta_inv=8,
    fusion_kernel=5,
    lateral_norm=False,
    slow_kernels=SLOW_KERNELS,
    fast_kernels=FAST_KERNELS,
    dropout=0.5,
    pathway_dropout=0.0,
):
    """SlowFast network (arXiv:1812.03982).

    The slow pathway takes every `tau`-th frame, the fast one `alpha` times as many. After the stem
    and each of the first three stages, lateral connections concatenate the fast pathway's features
    to the slow one's.

    Args:
        input_shape: `(frames, height, width, channels)`; `(32, 224, 224, 3)` if not given. Frames
            must be a multiple of `tau`. Frames, height and width may be `None`.
        pooling: without the top: `None` (the two pathways' features, slow
            `(batch, frames/tau, height/32, width/32, 2048)` and fast
            `(batch, frames*alpha/tau, height/32, width/32, 2048/beta_inv)`), "avg" or "max" (one
            vector, fast before slow).
        slow_depth, fast_depth: depths of the pathways: 50, 101 or 152.
        tau: frame stride of the slow pathway.
        alpha: frames of the fast pathway per frame of the slow one; a divisor of `tau`.
        beta_inv: width of the slow pathway as a multiple of the fast one's.
        fusion_kernel: temporal kernel size of the lateral convolutions.
        lateral_norm: whether they are followed by a batch norm and a ReLU.
        slow_kernels, fast_kernels: per stage, the temporal kernel size of the first convolution of
            its blocks; a tuple instead of a number sets it block by block and is repeated to the
            length of the stage.
        dropout: rate before the classifier.
        pathway_dropout: probability of dropping the fast pathway's clip in a training step, see
            `keras_video.layers.DropPathway`.

    Raises:
        ValueError: for an unknown depth, for frames, `tau` and `alpha` that do not divide, or for
            arguments that no published weights match.
    """
    clip = clip_input(input_tensor, input_shape, (32, 224, 224, 3))
    check_frames(clip.shape[1], tau, alpha)
    fast = StrideFrames(tau // alpha, name="fast_frames")(clip)
    if pathway_dropout:
        fast = DropPathway(pathway_dropout, name="fast_dropout")(fast)
    slow, fast = pathways(
        StrideFrames(tau, name="slow_frames")(clip),
        fast,
        (slow_depth, fast_depth),
        WIDTH // beta_inv,
        lateral(fusion_kernel, alpha, lateral_norm),
        (check_kernels(slow_kernels), check_kernels(fast_kernels)),
    )
    if include_top:
        x = pooled_pathways(slow, fast, "avg")
        x = classifier(x, classes, classifier_activation, dropout)
    else:
        x = pooled_pathways(slow, fast, pooling)
    return build_model(
        clip,
        x,
        name=name,
        weights=weights,
        input_tensor=input_tensor,
        constructor=SlowFast,
        arguments={
            "slow_depth": slow_depth,
            "fast_depth": fast_depth,
            "tau": tau,
            "alpha": alpha,
            "beta_inv": beta_inv,
            "fusion_kernel": fusion_kernel,
            "lateral_norm": lateral_norm,
            "slow_kernels": slow_kernels,
            "fast_kernels": fast_kernels,
        },
    )


def pathways(slow, fast, depths, fast_width, join, kernels=(SLOW_KERNELS, FAST_KERNELS)):
    """The features of both pathways, `(slow, fast)`, from their clips.

    Args:
        depths: depths of the slow and the fast pathway.
        fast_width: filters of the first stage of the fast pathway.
        join: `join(slow, fast, name=...)`, which concatenates the fast features to the slow ones.
        kernels: for both pathways, the temporal kernel sizes of each stage's blocks.
    """
    slow = clip_stem(slow, width=WIDTH, name="slow_path_")
    fast = clip_stem(fast, width=fast_width, kernel_size=(5, 7, 7), name="fast_path_")
    slow = join(slow, fast, name="slow_path_conv1_lateral")
    for stage in range(4):
        slow_blocks = pathway_blocks(depths[0], stage, kernels[0])
        fast_blocks = pathway_blocks(depths[1], stage, kernels[1])
        slow = clip_stage(slow, stage, slow_blocks, width=WIDTH, name="slow_path_")
        fast = clip_stage(fast, stage, fast_blocks, width=fast_width, name="fast_path_")
        if stage < 3:
            slow = join(slow, fast, name=f"slow_path_layer{stage + 1}_lateral")
    return slow, fast


def pathway_blocks(depth, stage, kernels):
    """The blocks of a stage, initialized as identities, since these networks train from scratch."""
    sizes = kernels[stage]
    sizes = (sizes,) if isinstance(sizes, int) else tuple(sizes)
    return inflated_blocks(depth, stage, sizes, last_gamma="zeros")


def check_kernels(kernels):
    """The temporal kernel sizes per stage, as tuples.

    Raises:
        ValueError: unless they are odd and positive, for four stages.
    """
    stages = [(sizes,) if isinstance(sizes, int) else tuple(sizes) for sizes in kernels]
    if len(stages) != 4 or not all(sizes and all(n % 2 == 1 for n in sizes) for sizes in stages):
        raise ValueError(f"{kernels!r}: expected odd temporal kernel sizes for four stages.")
    return tuple(stages)


def lateral(kernel_size, alpha, with_norm):
    """The lateral connection from fast to slow: a temporal convolution of stride `alpha`."""
    conv = conv_bn if with_norm else bare_convolution

    def join(slow, fast, *, name):
        fast = conv(fast, 2 * fast.shape[-1], (kernel_size, 1, 1), (alpha, 1, 1), name=name)
        return layers.Concatenate(name=f"{name}_concat")([slow, fast])

    return join


def bare_convolution(x, filters, kernel_size, strides, *, name):
    """A convolution without bias, norm and activation, named as in `conv_bn`."""
    return convolution(x, filters, kernel_size, strides, name=f"{name}_conv")


def pooled_pathways(slow, fast, pooling):
    """Both pathways' features, or with a pooling one vector in the order of the published heads."""
    slow = pool_features(slow, pooling, prefix="slow_")
    fast = pool_features(fast, pooling, prefix="fast_")
    return [slow, fast] if pooling is None else layers.Concatenate(name="pathways")([fast, slow])


def check_frames(frames, tau, alpha):
    """Raises a ValueError if the frames cannot be split between the pathways."""
    if tau % alpha:
        raise ValueError(f"alpha={alpha}: expected a divisor of tau={tau}.")
    if frames is not None and frames % tau:
        raise ValueError(f"{frames} frames: expected a multiple of tau={tau}.")
