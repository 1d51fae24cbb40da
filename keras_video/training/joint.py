"""Joint training on several sources (OmniSource, arXiv:2003.13042)."""

import dataclasses

import tensorflow as tf

from keras_video import data
from keras_video.data.pipelines.mixing import ClassBalanced, Part, joint_dataset
from keras_video.data.rows.sources import joint_sources
from keras_video.data.sampling import SampleFrames
from keras_video.training.distribution import share_of_batches
from keras_video.training.made_up import made_up_batch


def joint_training(run, main, lists=(), roots=()):
    """The batches of all sources of a run's row, in turn.

    Args:
        run: a `Run` whose row has several sources.
        main: the batches of the first of them.
        lists: the annotation files of the others, in the row's order.
        roots: the folders that their paths start from, one for each.

    Returns:
        A `tf.data.Dataset`; a pass takes every batch of `main` once.

    Raises:
        ValueError: if there are not as many lists or folders as the row has other sources.
    """
    others = run.row.joint[1:]
    if run.flags.dry_run:
        parts = [made_up_part(run, joint) for joint in others]
    else:
        for name, given in (("joint_lists", lists), ("joint_roots", roots)):
            if len(given) != len(others):
                kinds = ", ".join(joint.source.kind for joint in others)
                raise ValueError(
                    f"--{name}: received {len(given)}, expected {len(others)} for the sources of "
                    f"{run.row.name} besides the first: {kinds}."
                )
        sources = joint_sources(run.row)[1:]
        parts = [part_of(run, *each) for each in zip(others, sources, lists, roots, strict=True)]
    first = Part(main.map(open_frames), run.row.joint[0].ratio, run.epoch)
    return joint_dataset([first, *parts])


def part_of(run, joint, source, path, root):
    """The batches of one of the other sources."""
    epoch = data.Epoch()
    still = joint.source.kind == "images"
    power = joint.source.class_power
    balanced = ClassBalanced(power) if power else None
    dataset = data.video_dataset(
        path,
        root,
        source=source,
        sampling=still_sampling(joint) if still else data.row_sampling(run.row, "train"),
        steps=data.row_steps(run.row, "train"),
        training=True,
        seed=run.flags.seed,
        epoch=epoch,
        drop_remainder=run.flags.drop_remainder,
        classes=len(run.videos.class_names),
        on_error=run.flags.on_error,
        **share_of_batches(run.worker, joint_batch(run, joint), run.strategy, balanced),
    )
    return Part(dataset.map(open_frames), joint.ratio, epoch)


def still_sampling(joint):
    """All frames of an image: one, or those of the clip that it is repeated to."""
    return SampleFrames(joint.pseudo_clip or 1, 1, 1)


def joint_batch(run, joint):
    """Examples of a batch of a source: in proportion to those of the main source."""
    copies = run.strategy.num_replicas_in_sync
    share = joint.videos_per_gpu / run.row.joint[0].videos_per_gpu
    return copies * max(1, round(run.batch_size // copies * share))


def made_up_part(run, joint):
    """A batch of noise of a source."""
    _, *image = run.row.input_shape
    frames = joint.pseudo_clip or 1 if joint.source.kind == "images" else run.row.input_shape[0]
    row = dataclasses.replace(run.row, input_shape=(frames, *image))
    batch = made_up_batch(row, run.videos, run.batch_size, run.flags.seed + 1)
    return Part(batch.map(open_frames), joint.ratio)


def open_frames(clips, labels):
    """A batch whose number of clips and frames is open, so that those of all sources are alike."""
    return clips[: tf.shape(clips)[0], : tf.shape(clips)[1]], labels[: tf.shape(labels)[0]]
