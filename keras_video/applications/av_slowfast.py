"""AVSlowFast: SlowFast with a faster audio pathway."""

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

FUSION_POINTS = ("conv1", "layer1", "layer2", "layer3")


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
    audio_fusion_points=("layer2", "layer3"),
    audio_fusion_kernel=5,
    audio_fusion_width=64,
    drop_pathway=0.8,
    dropout=0.5,
):
    """Audiovisual SlowFast network (arXiv:2001.08740), without its synchronization loss.

    Adds an audio pathway to SlowFast's two: a factorized residual network (that of `AudioResNet`)
    over the spectrogram of the clip. At the fusion points its features, averaged over frequency,
    pass through two temporal convolutions and are added to the concatenated features of the slow
    and fast pathways. The classifier takes the concatenation of all three.

    No pretrained weights are published; `weights` accepts only files.

    Args:
        weights: `None`, or a `.weights.h5` or `.keras` file.
        input_tensor: a dictionary `{"video": ..., "audio": ...}` of Keras tensors to build on.
        input_shape: of the video: `(frames, height, width, channels)`, `(32, 224, 224, 3)` if not
            given. Frames are a multiple of `tau`. Height and width may be `None`.
        pooling: without the top: `None` (the three pathways' features: slow, fast, and audio
            `(batch, time/8, mels/8, 1024)`), "avg" or "max" (one vector: fast, slow, audio).
        audio_shape: of the spectrogram: `(time, mels, 1)`. At every fusion point the number
            of time steps is a multiple of the slow pathway's frames.
        slow_depth, fast_depth, audio_depth: depths of the pathways: 50, 101 or 152.
        tau, alpha, beta_inv, fusion_kernel, lateral_norm: see `SlowFast`.
        audio_fusion_points: the stages after which audio features are added: any of "conv1",
            "layer1", "layer2" and "layer3".
        audio_fusion_kernel: temporal kernel size of the two lateral convolutions.
        audio_fusion_width: filters of the first of the two.
        drop_pathway: fraction of the training steps that skip the audio features at all fusion
            points.
        dropout: rate before the classifier.

    Returns:
        A `keras.Model` from `{"video": normalized float clips, "audio": float spectrograms
        (batch, time, mels, 1)}` to `(batch, classes)` float32.

    Raises:
        ValueError: for an unknown depth or fusion point, or numbers of frames or time steps that do
            not divide.
    """
    check_arguments(audio_depth, audio_fusion_points)
    tensors = input_tensor or {"video": None, "audio": None}
    video = clip_input(tensors["video"], input_shape, (32, 224, 224, 3), name="video")
    audio = clip_input(tensors["audio"], audio_shape, (128, 80, 1), name="audio", minimum_size=1)
    check_times(video.shape, audio.shape)
    check_frames(video.shape[1], tau, alpha)
    outputs = factorized_resnet(audio, audio_depth, "audio_path_")
    stages = dict(zip(FUSION_POINTS, outputs[:-1], strict=True))
    audio_features = lateral_audio_features(
        {point: stages[point] for point in audio_fusion_points},
        video.shape[1] // tau,
        (audio_fusion_kernel, audio_fusion_width),
        beta_inv,
    )
    if audio_features:
        audio_features = DropPathway(drop_pathway, name="drop_pathway")(audio_features)
    slow, fast = pathways(
        StrideFrames(tau, name="slow_frames")(video),
        StrideFrames(tau // alpha, name="fast_frames")(video),
        (slow_depth, fast_depth),
        WIDTH // beta_inv,
        with_audio(lateral(fusion_kernel, alpha, lateral_norm), audio_features),
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


def lateral_audio_features(stages, slow_frames, convolutions, beta_inv):
    """Audio features to add at each fusion point, `(batch, slow_frames, 1, 1, channels)`.

    Args:
        stages: features of the audio pathway by fusion point, `(batch, time, mels, channels)`.
        slow_frames: frames of the slow pathway.
        convolutions: temporal kernel size of the two convolutions, and filters of the first.
        beta_inv: width of the slow pathway as a multiple of the fast one's.

    Raises:
        ValueError: if a number of time steps is not a multiple of `slow_frames`.
    """
    kernel_size, width = convolutions
    features = {}
    for point, x in stages.items():
        if x.shape[1] % slow_frames:
            raise ValueError(
                f"audio_shape: {x.shape[1]} time steps at {point}, expected a multiple of the "
                f"slow pathway's {slow_frames} frames."
            )
        name = f"audio_path_{point}_lateral"
        x = layers.AveragePooling2D((1, x.shape[2]), name=f"{name}_mean")(x)
        x = conv_bn(x, width, (kernel_size, 1), name=f"{name}_0")
        strides = (x.shape[1] // slow_frames, 1)
        x = conv_bn(x, joined_width(point, beta_inv), (kernel_size, 1), strides, name=f"{name}_1")
        features[point] = layers.Reshape((slow_frames, 1, 1, -1), name=f"{name}_frames")(x)
    return features


def joined_width(point, beta_inv):
    """Channels of the concatenated slow and fast features at a fusion point."""
    slow = WIDTH if point == "conv1" else 4 * WIDTH * 2 ** (int(point[-1]) - 1)
    return slow + 2 * (slow // beta_inv)


def with_audio(join, audio_features):
    """Extends `join`, the lateral connection from fast to slow, by adding the audio features."""

    def join_three(slow, fast, *, name):
        joined = join(slow, fast, name=name)
        point = name.removeprefix("slow_path_").removesuffix("_lateral")
        if point not in audio_features:
            return joined
        return layers.Add(name=f"{name}_heard")([joined, audio_features[point]])

    return join_three


def joined_pathways(video_features, audio, pooling):
    """The features of all pathways, or with a pooling one vector: fast, slow, audio."""
    audio = pool_features(audio, pooling, prefix="audio_")
    if pooling is None:
        return [*video_features, audio]
    return layers.Concatenate(name="all_pathways")([video_features, audio])


def check_arguments(audio_depth, audio_fusion_points):
    """Raises a ValueError for unsupported depths and fusion points."""
    if audio_depth not in FACTORIZED_DEPTHS:
        raise ValueError(f"audio_depth={audio_depth!r}: expected one of {FACTORIZED_DEPTHS}.")
    unknown = set(audio_fusion_points) - set(FUSION_POINTS)
    if unknown:
        raise ValueError(
            f"audio_fusion_points={audio_fusion_points!r}: expected some of "
            f"{', '.join(FUSION_POINTS)}."
        )


def check_times(video_shape, audio_shape):
    """Raises a ValueError if the number of frames or the size of the spectrogram is unknown."""
    if None in (video_shape[1], *audio_shape[1:]):
        raise ValueError(
            f"input_shape={video_shape[1:]}, audio_shape={audio_shape[1:]}: frames, time and mels "
            "must be known, because the pathways are aligned in time."
        )
