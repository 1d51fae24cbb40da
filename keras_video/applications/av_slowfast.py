"""AVSlowFast: SlowFast that also hears, through a faster pathway for sound."""

from keras import layers

from keras_video.applications.audio_resnet import FACTORIZED_DEPTHS, factorized_resnet
from keras_video.applications.docstrings import documented
from keras_video.applications.model import build_model, classifier, clip_input, pool_features
from keras_video.applications.preprocessing import decode_predictions, preprocess_input
from keras_video.applications.slowfast import (
    WIDTH,
    check_frames,
    lateral,
    pathways,
    pooled_pathways,
)
from keras_video.layers.convolution import conv_bn
from keras_video.layers.drop_pathway import DropPathway
from keras_video.layers.stride_frames import StrideFrames

__all__ = ["AVSlowFast", "decode_predictions", "preprocess_input"]

JUNCTIONS = ("conv1", "layer1", "layer2", "layer3")


@documented
def AVSlowFast(
    include_top=True,
    weights=None,
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=400,
    classifier_activation="softmax",
    name="av_slowfast",
    *,
    audio_shape=(128, 80, 1),
    slow_depth=50,
    fast_depth=50,
    audio_depth=50,
    tau=8,
    alpha=8,
    beta_inv=8,
    fusion_kernel=5,
    lateral_norm=True,
    audio_junctions=("layer2", "layer3"),
    audio_fusion_kernel=5,
    audio_fusion_width=64,
    drop_pathway=0.8,
    dropout=0.5,
):
    """Audiovisual SlowFast network (arXiv:2001.08740), without its synchronization loss.

    Beside the two pathways of SlowFast, a factorized residual network (that of `AudioResNet`)
    hears the spectrogram of the clip. At the junctions its features, averaged over the
    frequencies, go through two convolutions over time and are added to the slow pathway's features
    joined with the fast one's. Before the classifier all three are joined.

    No weights are published; `weights` takes files.

    Args:
        weights: `None`, or a `.weights.h5` or `.keras` file.
        input_tensor: a dictionary `{"video": ..., "audio": ...}` of Keras tensors to build on.
        input_shape: of the video: `(frames, height, width, channels)`, `(32, 224, 224, 3)` if not
            given. Frames are a multiple of `tau`. Height and width may be `None`.
        pooling: without the top: `None` (the three pathways' features: slow, fast, and audio
            `(batch, time/8, mels/8, 1024)`), "avg" or "max" (one vector: fast, slow, audio).
        audio_shape: of the spectrogram: `(time, mels, 1)`. At every junction its time is a
            multiple of the slow pathway's frames.
        slow_depth, fast_depth, audio_depth: of the pathways: 50, 101 or 152.
        tau, alpha, beta_inv, fusion_kernel, lateral_norm: see `SlowFast`.
        audio_junctions: behind which of the parts "conv1", "layer1", "layer2" and "layer3" the
            audio pathway is heard.
        audio_fusion_kernel: taps over time of the convolutions there.
        audio_fusion_width: filters of the first of the two.
        drop_pathway: share of the training steps in which none of the junctions is heard.
        dropout: rate before the classifier.

    Returns:
        A `keras.Model` from `{"video": normalized float clips, "audio": float spectrograms
        (batch, time, mels, 1)}` to `(batch, classes)` float32.

    Raises:
        ValueError: for an unknown depth or junction, or frames and times that do not divide.
    """
    check_arguments(audio_depth, audio_junctions)
    given = input_tensor or {"video": None, "audio": None}
    video = clip_input(given["video"], input_shape, (32, 224, 224, 3), name="video")
    audio = clip_input(given["audio"], audio_shape, (128, 80, 1), name="audio", minimum_size=1)
    check_times(video.shape, audio.shape)
    check_frames(video.shape[1], tau, alpha)
    outputs = factorized_resnet(audio, audio_depth, "audio_path_")
    stages = dict(zip(JUNCTIONS, outputs[:-1], strict=True))
    heard = heard_features(
        {junction: stages[junction] for junction in audio_junctions},
        video.shape[1] // tau,
        (audio_fusion_kernel, audio_fusion_width),
        beta_inv,
    )
    slow, fast = pathways(
        StrideFrames(tau, name="slow_frames")(video),
        StrideFrames(tau // alpha, name="fast_frames")(video),
        (slow_depth, fast_depth),
        WIDTH // beta_inv,
        hearing(
            lateral(fusion_kernel, alpha, lateral_norm),
            DropPathway(drop_pathway, name="drop_pathway")(heard) if heard else {},
        ),
    )
    pooling = "avg" if include_top else pooling
    x = joined_pathways(pooled_pathways(slow, fast, pooling), outputs[-1], pooling)
    if include_top:
        x = classifier(x, classes, classifier_activation, dropout)
    return build_model(
        {"video": video, "audio": audio},
        x,
        name=name,
        weights=weights,
        input_tensor=input_tensor,
        constructor=AVSlowFast,
        arguments={},
    )


def heard_features(stages, slow_frames, convolutions, beta_inv):
    """What the slow pathway hears at every junction: `(batch, slow_frames, 1, 1, channels)`.

    Args:
        stages: features of the audio pathway by junction, `(batch, time, mels, channels)`.
        slow_frames: frames of the slow pathway.
        convolutions: taps over time of the two convolutions, and filters of the first.
        beta_inv: width of the slow pathway as a multiple of the fast one's.

    Raises:
        ValueError: if a time is no multiple of `slow_frames`.
    """
    taps, width = convolutions
    heard = {}
    for junction, x in stages.items():
        if x.shape[1] % slow_frames:
            raise ValueError(
                f"audio_shape: {x.shape[1]} time steps at {junction}, expected a multiple of the "
                f"slow pathway's {slow_frames} frames."
            )
        name = f"audio_path_{junction}_lateral"
        x = layers.AveragePooling2D((1, x.shape[2]), name=f"{name}_mean")(x)
        x = conv_bn(x, width, (taps, 1), name=f"{name}_0")
        strides = (x.shape[1] // slow_frames, 1)
        x = conv_bn(x, joined_width(junction, beta_inv), (taps, 1), strides, name=f"{name}_1")
        heard[junction] = layers.Reshape((slow_frames, 1, 1, -1), name=f"{name}_frames")(x)
    return heard


def joined_width(junction, beta_inv):
    """Channels of the slow pathway's features joined with the fast one's at a junction."""
    slow = WIDTH if junction == "conv1" else 4 * WIDTH * 2 ** (int(junction[-1]) - 1)
    return slow + 2 * (slow // beta_inv)


def hearing(join, heard):
    """`join`, the connection from fast to slow, and then the sum with what is heard there."""

    def join_three(slow, fast, *, name):
        joined = join(slow, fast, name=name)
        junction = name.removeprefix("slow_path_").removesuffix("_lateral")
        if junction not in heard:
            return joined
        return layers.Add(name=f"{name}_heard")([joined, heard[junction]])

    return join_three


def joined_pathways(seen, audio, pooling):
    """The features of all pathways, or with a pooling one vector: fast, slow, audio."""
    audio = pool_features(audio, pooling, prefix="audio_")
    if pooling is None:
        return [*seen, audio]
    return layers.Concatenate(name="all_pathways")([seen, audio])


def check_arguments(audio_depth, audio_junctions):
    """Raises a ValueError for depths and junctions that there are not."""
    if audio_depth not in FACTORIZED_DEPTHS:
        raise ValueError(f"audio_depth={audio_depth!r}: expected one of {FACTORIZED_DEPTHS}.")
    unknown = set(audio_junctions) - set(JUNCTIONS)
    if unknown:
        raise ValueError(
            f"audio_junctions={audio_junctions!r}: expected some of {', '.join(JUNCTIONS)}."
        )


def check_times(video_shape, audio_shape):
    """Raises a ValueError where the frames of the video or the size of the sound are open."""
    if None in (video_shape[1], *audio_shape[1:]):
        raise ValueError(
            f"input_shape={video_shape[1:]}, audio_shape={audio_shape[1:]}: frames, time and mels "
            "must be known, since the pathways are joined step by step."
        )
