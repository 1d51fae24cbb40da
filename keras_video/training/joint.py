"""Joint training on several sources (OmniSource, arXiv:2003.13042)."""

import dataclasses

import tensorflow as tf

from keras_video import data
from keras_video.data.pipelines.mixing import ClassBalanced, MixSource, joint_dataset
from keras_video.data.rows.sources import joint_protocol, joint_sources
from keras_video.training.distribution import share_of_batches
from keras_video.training.synthetic import synthetic_batch


def joint_training(run, main):
    """The batches of all sources of a run's row, in turn.

    Args:
        run: a `Run` whose row has several sources.
        main: the batches of the first of them.

    Returns:
        A `tf.data.Dataset`; a pass takes every batch of `main` once.

    Raises:
        ValueError: if there are not as many lists or folders as the row has other sources.
    """
    others = run.row.joint[1:]
    if run.settings.dry_run:
        parts = [synthetic_part(run, joint) for joint in others]
    else:
        lists, roots = joint_lists(run)
        sources = joint_sources(run.row)[1:]
        parts = [part_of(run, *each) for each in zip(others, sources, lists, roots, strict=True)]
    first = MixSource(main.map(open_frames), run.row.joint[0].ratio, run.epoch)
    return joint_dataset([first, *parts])


def joint_lists(run):
    """The lists of the other sources, and the folder of each.

    On the embedded dataset a second one, of another seed, stands for videos from the web.
    """
    settings, expected = run.settings, len(run.row.joint) - 1
    if not settings.train_list:
        web = data.make_moving_shapes(run.lists.root.with_name("moving_shapes_web"), seed=1)
        return [web.train_list] * expected, [web.root] * expected
    for name in ("joint_lists", "joint_roots"):
        given = getattr(settings, name)
        if len(given) != expected:
            kinds = ", ".join(joint.source.kind for joint in run.row.joint[1:])
            raise ValueError(
                f"{name}: received {len(given)}, expected {expected} for the sources of "
                f"{run.row.name} besides the first: {kinds}."
            )
    return settings.joint_lists, settings.joint_roots


def part_of(run, joint, source, path, root):
    """The batches of one of the other sources."""
    epoch = data.EpochCounter()
    power = joint.source.class_power
    balanced = ClassBalanced(power) if power else None
    dataset = data.protocol_dataset(
        joint_protocol(run.protocol("train"), joint),
        path,
        root,
        source=source,
        seed=run.settings.seed,
        epoch=epoch,
        drop_remainder=run.settings.drop_remainder,
        classes=len(run.lists.class_names),
        on_error=run.settings.on_error,
        **share_of_batches(run.worker, joint_batch(run, joint), run.strategy, balanced),
    )
    return MixSource(dataset.map(open_frames), joint.ratio, epoch)


def joint_batch(run, joint):
    """Examples of a batch of a source: in proportion to those of the main source."""
    copies = run.strategy.num_replicas_in_sync
    share = joint.batch_size_per_device / run.row.joint[0].batch_size_per_device
    return copies * max(1, round(run.batch_size // copies * share))


def synthetic_part(run, joint):
    """A batch of noise of a source."""
    _, *image = run.row.input_shape
    frames = joint.pseudo_clip or 1 if joint.source.kind == "images" else run.row.input_shape[0]
    row = dataclasses.replace(run.row, input_shape=(frames, *image))
    batch = synthetic_batch(row, run.lists, run.batch_size, run.settings.seed + 1)
    return MixSource(batch.map(open_frames), joint.ratio)


def open_frames(clips, labels):
    """A batch whose number of clips and frames is open, so that those of all sources are alike."""
    return clips[: tf.shape(clips)[0], : tf.shape(clips)[1]], labels[: tf.shape(labels)[0]]
