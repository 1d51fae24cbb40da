"""The lists and the datasets of a run on sound, or on videos with their sound."""

from pathlib import Path

import numpy as np

from keras_video import data
from keras_video.data.rows.audio import names_features, row_audio_source
from keras_video.training.distribution import share_of_batches
from keras_video.training.made_up import made_up_batch
from keras_video.training.videos import VideoLists, find_videos, names_of_labels


def find_sounds(flags, row, task="sound"):
    """The lists that the flags name, or the embedded dataset of shapes that sound.

    Lists name sounds, videos with sound, or stored features (`.npy`). Two numbers behind a path
    are the frames of the video and the label, unless the row has several labels.

    Raises:
        ValueError: if only one of the two lists is given, or the names do not cover the labels.
    """
    if not flags.train_list and not flags.val_list:
        train_list, val_list, names = data.embedded_sounding_shapes(task)
        return VideoLists(train_list, val_list, train_list.parent, names)
    if not (flags.train_list and flags.val_list):
        return find_videos(flags, row)  # says that both are needed
    lists = [Path(flags.train_list), Path(flags.val_list)]
    forms = [list_form(path, row) for path in lists]
    source = row_audio_source(row, features=True) if names_features(lists[0]) else None
    root = Path(flags.data_root) if flags.data_root else None
    names = names_of_labels(flags.class_names, lists, forms)
    return VideoLists(*lists, root, names, source, *forms)


def list_form(file, row):
    """How a list of sounds is written; `None` for JSON, which says so itself."""
    if Path(file).suffix == ".json":
        return None
    several = row.loss is not None and row.loss.kind == "binary"
    first = next(data.video_lines(file), None)
    stated = first is not None and len(first.labels) > 1
    return data.frame_lines if stated and not several else data.video_lines


def audio_datasets(run):
    """The spectrograms to train on and, with all views, those to evaluate on.

    In a dry run: one batch of noise, and nothing to evaluate.

    Args:
        run: a `keras_video.training.run.Run` of a row of sound.
    """
    features = run.videos.source is not None
    return _datasets(run, data.row_audio_dataset, features=features)


def audiovisual_datasets(run):
    """As `audio_datasets`, of clips and their sound: `{"video": ..., "audio": ...}`."""
    return _datasets(run, data.row_audiovisual_dataset)


def _datasets(run, make, **options):
    if run.flags.dry_run:
        return _made_up(run), None
    options = {"classes": len(run.videos.class_names), "on_error": run.flags.on_error, **options}
    train = make(
        run.row,
        "train",
        run.videos.train_list,
        run.videos.root,
        form=run.videos.train_form,
        seed=run.flags.seed,
        epoch=run.epoch,
        drop_remainder=run.flags.drop_remainder,
        **share_of_batches(run.worker, run.batch_size, run.strategy),
        **options,
    )
    test = make(
        run.row,
        "test",
        run.videos.val_list,
        run.videos.root,
        form=run.videos.val_form,
        batch_size=run.flags.eval_batch_size,
        **options,
    )
    return train, test


def _made_up(run):
    """One batch of noise; of sound too where the row sees and hears."""
    batch = made_up_batch(run.row, run.videos, run.batch_size, run.flags.seed)
    if run.row.spatial is None:
        return batch
    shape = (run.batch_size, run.row.audio.length, run.row.audio.mels, 1)
    sound = np.random.default_rng(run.flags.seed).random(shape, np.float32)
    return batch.map(lambda clips, labels: ({"video": clips, "audio": sound}, labels))
