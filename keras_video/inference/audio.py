"""One sound, or one video with its sound, through a model."""

import numpy as np
import tensorflow as tf

from keras_video.data.annotations.reading import Record
from keras_video.data.pipelines.audio import sound_step
from keras_video.data.pipelines.audiovisual import both_steps
from keras_video.data.pipelines.clips import shrinking_source, video_step
from keras_video.data.rows.audio import row_audio_source, row_audio_steps
from keras_video.data.rows.presets import clip_sampler, clip_steps
from keras_video.data.sound.audiovisual import AudioVisual
from keras_video.data.sources.videos import Videos
from keras_video.data.steps.basic import apply_steps
from keras_video.inference.video import preprocessing_of
from keras_video.inference.views import predict_views


def predict_audio(model, path):
    """The probabilities of a model's classes for a sound, or a video's sound track.

    Clips are drawn and averaged as `model.preprocessing` says.

    Args:
        model: a classifier of spectrograms, such as `AudioResNet`.
        path: a sound file, or a video with sound.

    Returns:
        float32 probabilities of shape `(classes,)`.

    Raises:
        ValueError: if the model does not say how it is fed.
        DecodeError: if the file cannot be read.
    """
    settings = preprocessing_of(model)
    opened = row_audio_source(settings).open(Record(str(path), ()))
    sound = opened.read(clip_sampler(settings.sampling)(opened.total_frames, training=False))
    spectrograms = apply_steps(row_audio_steps(settings), tf.constant(sound))
    return np.asarray(predict_views(model, spectrograms[None], average=settings.average))[0]


def predict_audiovisual(model, path):
    """The probabilities of a model's classes for a video with its sound.

    Args:
        model: a classifier of `{"video": ..., "audio": ...}`, such as `AVSlowFast`.
        path: a video file with a sound track.

    Returns, Raises:
        As `predict_audio`.
    """
    settings = preprocessing_of(model)
    steps = clip_steps(settings.spatial, settings.normalize)
    videos = shrinking_source(Videos(), steps)
    opened = AudioVisual(videos, row_audio_source(settings)).open(Record(str(path), ()))
    indices = clip_sampler(settings.sampling)(opened.total_frames, training=False)
    read = {key: tf.constant(value) for key, value in opened.read(indices).items()}
    step = both_steps(
        video_step(steps, indices.shape[1], False),
        sound_step(row_audio_steps(settings), False),
        training=False,
    )
    views, _ = step(read, tf.constant(0), None)
    views = {key: value[None] for key, value in views.items()}
    return np.asarray(
        predict_views(model, views, average=settings.average, max_views=settings.max_views)
    )[0]
