"""Inference on one audio file, or one video with its audio."""

import dataclasses

import numpy as np
import tensorflow as tf

from keras_video.data.annotations.parsing import Record
from keras_video.data.audio.audiovisual import AudioVisual
from keras_video.data.pipelines.building import shrinking_source
from keras_video.data.rows.audio import row_audio_source
from keras_video.data.rows.presets import processing_of
from keras_video.inference.video import protocol_of
from keras_video.inference.views import predict_views


def predict_audio(model, path):
    """The probabilities of a model's classes for an audio file, or a video's audio track.

    Clips are sampled and their scores averaged as `model.protocol` specifies.

    Args:
        model: a classifier of spectrograms, such as `AudioResNet`.
        path: an audio file, or a video with audio.

    Returns:
        float32 probabilities of shape `(classes,)`.

    Raises:
        ValueError: if the model has no protocol.
        DecodeError: if the file cannot be read.
    """
    protocol = protocol_of(model)
    spectrograms = _views(processing_of(protocol), row_audio_source(protocol), path)
    return np.asarray(
        predict_views(model, spectrograms[None], score_average=protocol.score_average)
    )[0]


def predict_audiovisual(model, path):
    """The probabilities of a model's classes for a video with its audio.

    Args:
        model: a classifier of `{"video": ..., "audio": ...}`, such as `AVSlowFast`.
        path: a video file with an audio track.

    Returns, Raises:
        As `predict_audio`.
    """
    protocol = protocol_of(model)
    processing = processing_of(protocol)
    source = AudioVisual(waveforms=row_audio_source(protocol))
    source = shrinking_source(source, processing.transforms)
    views = _views(processing, source, path)
    views = {
        "video": processing.normalized(views["video"])[None],
        "audio": views["audio"][None],
    }
    scores = predict_views(
        model, views, score_average=protocol.score_average, max_views=protocol.max_views
    )
    return np.asarray(scores)[0]


def _views(processing, source, path):
    """The views of a file as arrays, frames not normalized."""
    opened = source.open(Record(str(path), ()))
    indices = processing.sampling(opened.total_frames, training=False)
    if processing.transforms is not None:
        # The audio of a view is that of its clip.
        processing = dataclasses.replace(processing, view_frames=indices.shape[1])
    read = tf.nest.map_structure(tf.constant, opened.read(indices))
    views, _ = processing.transform(training=False)(read, tf.constant(0), None)
    return tf.nest.map_structure(np.asarray, views)
