"""Joint training on several sources (OmniSource, arXiv:2003.13042)."""

import dataclasses

import tensorflow as tf

from keras_video import data
from keras_video.data.pipelines.mixing import ClassBalanced, MixSource, joint_dataset
from keras_video.data.rows.sources import joint_protocol, joint_sources
from keras_video.training.distribution import worker_batch_options
from keras_video.training.synthetic import synthetic_batch


def joint_training(run, main):
    """The batches of all sources of a run's row, alternating between the sources.

    Args:
        run: a `Run` whose row has several sources.
        main: the batches of the first of them.

    Returns:
        A `tf.data.Dataset`; a pass reads every batch of `main` once.

    Raises:
        ValueError: unless there is one list and one folder for each of the row's other sources.
    """
    others = run.row.joint[1:]
    if run.settings.dry_run:
        mixed = [synthetic_source(run, joint) for joint in others]
    else:
        lists, roots = joint_lists(run)
        sources = joint_sources(run.row)[1:]
        mixed = [mix_source(run, *each) for each in zip(others, sources, lists, roots, strict=True)]
    first = MixSource(main.map(relax_shapes), run.row.joint[0].ratio, run.epoch)
    return joint_dataset([first, *mixed])


def joint_lists(run):
    """The lists of the other sources, and the folder of each.

    With the embedded dataset, a second one of another seed stands in for web videos.
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
                f"{name}: received {len(given)}, expected {expected}, one for each source of "
                f"{run.row.name} after the first: {kinds}."
            )
    return settings.joint_lists, settings.joint_roots


def mix_source(run, joint, source, path, root):
    """The `MixSource` of one of the other sources."""
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
        **worker_batch_options(run.worker, joint_batch(run, joint), run.strategy, balanced),
    )
    return MixSource(dataset.map(relax_shapes), joint.ratio, epoch)


def joint_batch(run, joint):
    """Batch size of a source, in proportion to that of the main source."""
    copies = run.strategy.num_replicas_in_sync
    ratio = joint.batch_size_per_device / run.row.joint[0].batch_size_per_device
    return copies * max(1, round(run.batch_size // copies * ratio))


def synthetic_source(run, joint):
    """The `MixSource` of one batch of noise in the shapes of a source."""
    _, *image = run.row.input_shape
    frames = joint.pseudo_clip or 1 if joint.source.kind == "images" else run.row.input_shape[0]
    row = dataclasses.replace(run.row, input_shape=(frames, *image))
    batch = synthetic_batch(row, run.lists, run.batch_size, run.settings.seed + 1)
    return MixSource(batch.map(relax_shapes), joint.ratio)


def relax_shapes(clips, labels):
    """A batch of unknown static size and length, so that all sources have the same signature."""
    return clips[: tf.shape(clips)[0], : tf.shape(clips)[1]], labels[: tf.shape(labels)[0]]
