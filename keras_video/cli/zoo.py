r"""Lists the rows of the model zoo with their cost, accuracy and license.

    keras-video zoo --task classification --dataset kinetics400 --sort top1 --max_gflops 10
    keras-video zoo "*tsm*r50*" --format csv

A row is one line of a published results table: a model with its weights, test protocol, training
recipe and reported accuracy. Accuracies are as published, in percent; multiply-adds are for one
view. Other commands take a row by its name, or by its id if several rows share the name. Without
flags, all published rows are listed.
"""

from keras_video.zoo.catalog import SORTS, rows, search
from keras_video.zoo.listing import FORMATS, table
from keras_video.zoo.zoo_row import KINDS, TASKS

TAKES_ARGUMENTS = True


def define(flags):
    flags.group("Filters")
    flags.choice("task", None, TASKS, "task of the model")
    flags.string("family", None, "model family, such as tsn or slowfast")
    flags.string("dataset", None, "dataset, such as kinetics400 or sthv1")
    flags.choice("kind", None, KINDS, "kind of row; all published rows if not given")
    flags.number("max_gflops", None, "maximum multiply-adds of a view, in 10^9", 0)
    flags.number("max_parameters", None, "maximum parameters, in millions", 0)
    flags.group("Output")
    flags.choice("sort", None, SORTS, "sort order; that of the published tables if not given")
    flags.choice("format", "table", FORMATS, "output format")


def run(options, arguments):
    if len(arguments) > 1:
        raise ValueError(f"received {arguments}, expected one pattern such as '*tsm*r50*'.")
    selected = rows(
        options.family,
        options.dataset,
        options.kind,
        task=options.task,
        max_gflops=options.max_gflops,
        max_parameters=options.max_parameters,
        sort=options.sort,
    )
    if arguments:
        matching = {row.id for row in search(arguments[0])}
        selected = tuple(row for row in selected if row.id in matching)
    print(table(selected, format=options.format))
    if options.format == "table":
        print(f"{len(selected)} rows")
