"""Batches of clips and their sound as a `tf.data.Dataset`."""

import dataclasses

import tensorflow as tf

from ..sound.audiovisual import AudioVisual
from .audio import sound_step
from .batches import dataset_of_reader
from .clip_reader import reader_of, records_of
from .clips import shrinking_source, video_step


def audiovisual_dataset(
    annotation_file,
    root=None,
    *,
    sampling,
    video_steps,
    audio_steps,
    source=None,
    classes=None,
    form=None,
    training=False,
    seed=0,
    multi_label=None,
    shuffle=None,
    on_error="raise",
    report=None,
    **options,
):
    """Clips and spectrograms of the same moments of the videos that a list names.

    Every random draw comes from `(seed, epoch, index of the video)`, as in `video_dataset`: with
    the same sampling and steps the clips are those of `video_dataset`.

    Args:
        annotation_file, root, classes, form: see `video_dataset`.
        sampling: which frames are read, a sampler of `keras_video.data`. Each of its clips is a
            view, and its sound is that from its first to its last frame.
        video_steps: what happens to the frames, clip steps of `keras_video.data`.
        audio_steps: from waves `(clips, samples)` to spectrograms `(clips, time, mels, 1)`, see
            `audio_dataset`.
        source: an `AudioVisual`; None means `AudioVisual()`.
        training: whether clips are drawn at random, anew in every epoch.
        seed, multi_label, shuffle, on_error, report, **options: see `dataset_from_records`, which
            says what further options there are.

    Returns:
        A `tf.data.Dataset` of `({"video": clips, "audio": spectrograms}, labels)`: clips float32
        `(batch, frames, height, width, channels)` and spectrograms `(batch, time, mels, 1)` in
        training; otherwise `(batch, views, ...)` of both. Crops of a clip have the same sound.

    Raises:
        AnnotationError: naming file and line of a label that is out of range or a damaged line.
        FileNotFoundError: there is no such annotation file.
        ValueError: options that contradict each other; several clips in training.
    """
    source = AudioVisual() if source is None else source
    videos = shrinking_source(source.videos, tuple(video_steps))
    source = dataclasses.replace(source, videos=videos)
    reader = reader_of(
        records_of(annotation_file, root, classes, form, source),
        sampling=sampling,
        source=source,
        training=training,
        seed=seed,
        classes=classes,
        multi_label=multi_label,
        on_error=on_error,
        report=report,
    )
    specs = {key: tf.TensorSpec(shape, source.dtype[key]) for key, shape in reader.shape.items()}
    _, view_frames = reader.clips
    return dataset_of_reader(
        reader,
        specs,
        both_steps(
            video_step(tuple(video_steps), view_frames, training),
            sound_step(tuple(audio_steps), training),
            training,
        ),
        shuffle=training if shuffle is None else shuffle,
        **options,
    )


def both_steps(see, hear, training):
    """The function from what was read to ({"video": clip, "audio": spectrogram}, label)."""

    def step(read, label, seed):
        spectrogram, _ = hear(read["audio"], label, seed)
        clip, label = see(read["video"], label, seed)
        if not training:
            spectrogram = _per_crop(spectrogram, clip)
        return {"video": clip, "audio": spectrogram}, label

    return step


def _per_crop(spectrograms, views):
    """Spectrograms `(clips, ...)` for views `(clips * crops, ...)`, which stand clip by clip."""
    crops = tf.shape(views)[0] // tf.shape(spectrograms)[0]
    repeated = tf.repeat(spectrograms, crops, axis=0)
    return tf.ensure_shape(repeated, [views.shape[0], *spectrograms.shape[1:]])
