"""The row of a run, as its flags want it."""

import dataclasses

from absl import logging

from keras_video import zoo


def settled_row(flags, constructor):
    """The row that the flags name, with their size and views.

    Raises:
        ValueError: if another recipe trains this row.
    """
    row = zoo.row(flags.row)
    if row.constructor is None:
        row.model()  # says why there is none
    check_recipe(flags.row, row, constructor)
    if flags.size:
        row = zoo.resized(row, flags.size)
    if flags.views:
        row = zoo.with_views(row, *read_views(flags.views))
    row = zoo.trainable(row)
    if row.classes is None:
        # Rows of feature extractors are trained with the classifier they were published with.
        arguments = {k: v for k, v in row.arguments.items() if k != "include_top"}
        row = dataclasses.replace(row, arguments=arguments, average=row.average or "prob")
    logging.info("Row %s (%s)", row.id, row.name)
    return row


def for_classes(row, count):
    """`row` for a user's own lists: labels that change places when mirrored are its dataset's.

    Where there are other than the row's `count` of classes, or the row is an example, clips are
    mirrored and keep their labels; a warning says so.
    """
    pairs = row.spatial.train.flip_labels if row.spatial and row.spatial.train else ()
    if not pairs or (count == row.classes and row.kind != "example"):
        return row
    logging.warning(
        "%s mirrors clips and exchanges the labels %s of %s. Labels of other data stay.",
        row.name, " ".join(f"{a}-{b}" for a, b in pairs), row.dataset,
    )  # fmt: skip
    train = dataclasses.replace(row.spatial.train, flip_labels=())
    return dataclasses.replace(row, spatial=dataclasses.replace(row.spatial, train=train))


def check_recipe(name, row, constructor):
    """Raises a ValueError that names the recipe, if it is another one that trains this row."""
    wanted = "omnisource" if row.joint else row.constructor
    if constructor != wanted:
        recipe = {"AudioResNet": "audio_resnet"}.get(wanted, wanted.lower())
        raise ValueError(f"--row={name}: trained by recipes/train_{recipe}.py.")


def read_views(text):
    """`(clips, crops)` of "10x3"."""
    parts = text.split("x")
    if len(parts) != 2 or not all(part.isdigit() for part in parts):
        raise ValueError(f"--views={text}: expected clips x crops such as 10x3.")
    return tuple(map(int, parts))


def open_shape(row):
    """The clip shape of a row, open where training and testing differ."""
    pairs = zip(row.input_shape, row.test_input_shape, strict=True)
    return tuple(train if train == test else None for train, test in pairs)


def stated_batch(row, copies):
    """Videos of a step of the row's training on so many replicas.

    Raises:
        ValueError: for a row that does not state it.
    """
    if row.videos_per_gpu is None:
        raise ValueError(f"{row.id} ({row.name}) states no batch size: give --batch_size.")
    return row.videos_per_gpu * copies
