"""Batches of spectrograms as a `tf.data.Dataset`."""

import tensorflow as tf

from ..steps.basic import apply_label_steps, apply_steps
from .batches import dataset_of_reader
from .clip_reader import reader_of, records_of


def audio_dataset(
    annotation_file,
    root=None,
    *,
    sampling,
    source,
    steps,
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
    """Spectrograms of clips of the sounds, or the videos' sound tracks, that a list names.

    Every random draw comes from `(seed, epoch, index)`, as in `video_dataset`.

    Args:
        annotation_file: text file of lines `path label [label ...]`, or in another `form`.
        root: folder that its paths start from; None leaves them as they are.
        sampling: which frames make a clip, a sampler of `keras_video.data`: a clip is the sound
            from its first to its last frame.
        source: `Sounds` (files that are decoded) or `AudioFeatures` (stored spectrograms).
        steps: from waves `(clips, samples)`, or features `(clips, rows, mels)`, to spectrograms
            `(clips, time, mels, 1)`: `MelSpectrogram`, `LogMelFeatures`, `AddChannel` last.
        classes: number of classes that labels are checked against.
        form: how the list is written, see `read_annotations`; `frame_lines` for lines
            `path frames label [label ...]`. None takes the usual one of the source.
        training: whether clips are drawn at random, anew in every epoch.
        seed, multi_label, shuffle, on_error, report, **options: see `dataset_from_records`, which
            says what further options there are.

    Returns:
        A `tf.data.Dataset` of `(spectrograms, labels)`: float32 `(batch, time, mels, 1)` in
        training, otherwise `(batch, clips, time, mels, 1)`; labels as those of `video_dataset`.

    Raises:
        AnnotationError: naming file and line of a label that is out of range or a damaged line.
        FileNotFoundError: there is no such annotation file.
        ValueError: options that contradict each other; several clips in training.
    """
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
    return dataset_of_reader(
        reader,
        tf.TensorSpec(reader.shape, source.dtype),
        sound_step(tuple(steps), training),
        shuffle=training if shuffle is None else shuffle,
        **options,
    )


def sound_step(steps, training):
    """The function from what was read to (spectrogram, label)."""

    def step(sound, label, seed):
        spectrogram = apply_steps(steps, sound, seed)
        label = apply_label_steps(steps, label, seed)
        return check_views(spectrogram, training), label

    return step


def check_views(spectrogram, training):
    """Spectrograms `(clips, time, mels, 1)`, or in training the only one of them.

    Raises:
        ValueError: for another rank, or in training for several clips.
    """
    shape = spectrogram.shape
    if shape.rank != 4:
        raise ValueError(
            f"the steps make spectrograms of shape {shape}, expected (clips, time, mels, 1); end "
            "them with MelSpectrogram, LogMelFeatures or AddChannel"
        )
    if not training:
        return spectrogram
    if shape[0] != 1:
        raise ValueError(
            f"the sampling gives {shape[0]} clips, expected num_clips=1 in training, where an "
            "example is one clip"
        )
    return spectrogram[0]
