"""Batches of spectrograms as a `tf.data.Dataset`."""

import tensorflow as tf

from .annotation_forms import video_lines
from .annotation_tables import json_records
from .annotations import read_annotations
from .audio_sources import AudioFeatures, Sounds
from .clip_reader import ClipReader
from .pipeline import check_options, dataset_of_reader, label_length
from .presets import row_sampling
from .report import DecodeReport
from .spectrogram import AddChannel, Amplify, LogMelFeatures, MelSpectrogram, NormalizeLoudness
from .steps import apply_label_steps, apply_steps


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
    check_options(on_error, seed)
    if form is None and not str(annotation_file).endswith(".json"):
        form = source.form
    records = read_annotations(annotation_file, root, classes, form=form)
    reader = ClipReader(
        tuple(records),
        sampling,
        training,
        int(seed),
        label_length(records, classes, multi_label),
        on_error,
        DecodeReport() if report is None else report,
        source,
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


def row_audio_dataset(row, phase, annotation_file, root=None, *, features=None, **options):
    """`audio_dataset` with the settings of a zoo row.

    Args:
        row: a `keras_video.zoo.Row` of the family "audio".
        phase: "train", "val" or "test"; "train" draws clips at random.
        annotation_file, root: see `audio_dataset`.
        features: whether the list names stored features instead of sounds; None finds out by the
            ending `.npy`.
        **options: of `row_audio_source` and `audio_dataset`.
    """
    if features is None:
        features = names_features(annotation_file)
    chosen = {name: options.pop(name) for name in ("decoder", "silence") if name in options}
    return audio_dataset(
        annotation_file,
        root,
        sampling=row_sampling(row, phase),
        source=row_audio_source(row, features, **chosen),
        steps=row_audio_steps(row, features),
        training=phase == "train",
        **options,
    )


def names_features(annotation_file):
    """Whether the first path of a list is that of stored features."""
    form = json_records if str(annotation_file).endswith(".json") else video_lines
    first = next(iter(form(annotation_file)), None)
    return first is not None and first.path.endswith(".npy")


def row_audio_source(row, features=False, *, decoder="av", silence=False):
    """Where the sound of a row comes from.

    Args:
        row: a `keras_video.zoo.Row`, or a `Preprocessing`, with settings of sound.
        features: whether spectrograms are stored as `.npy` files.
        decoder, silence: see `Sounds`.
    """
    audio = row.audio
    if features:
        return AudioFeatures(audio.length, audio.mels, silence=silence)
    return Sounds(audio.wave_samples, audio.sample_rate, decoder=decoder, silence=silence)


def row_audio_steps(row, features=False):
    """The steps of a row, from waves or stored features to its spectrograms.

    Rows that were published for stored features are given the same features of sounds; but the
    loudness is normalised per clip, where the published files were made from whole sounds.
    """
    audio = row.audio
    if features:
        return (AddChannel(),)
    settings = {
        "sample_rate": audio.sample_rate,
        "window_ms": audio.window_ms,
        "step_ms": audio.step_ms,
        "mels": audio.mels,
        "length": audio.length,
    }
    if audio.from_wave:
        return (Amplify(audio.amplify), MelSpectrogram(**settings))
    return (NormalizeLoudness(), LogMelFeatures(**settings))
