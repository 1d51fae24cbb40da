r"""Lists the rows of the zoo: what each costs, how good it is, what its weights may be used for.

    keras-video zoo --task classification --dataset kinetics400 --sort top1 --max_gflops 10
    keras-video zoo "*tsm*r50*" --format csv

Accuracies are the published ones in percent, multiply-adds those of one view. A row is named to
other commands by its name, or by the id where several have that name. Without flags, every
published row has a line.
"""

from keras_video.zoo.catalog import SORTS, rows, search
from keras_video.zoo.listing import FORMATS, table
from keras_video.zoo.zoo_row import KINDS, TASKS

TAKES_ARGUMENTS = True


def define(flags):
    flags.group("Which rows")
    flags.choice("task", None, TASKS, "what the network is for")
    flags.string("family", None, "such as tsn or slowfast")
    flags.string("dataset", None, "such as kinetics400 or sthv1")
    flags.choice("kind", None, KINDS, "kind of row; all published ones if not given")
    flags.number("max_gflops", None, "most multiply-adds of a view, in 10^9", 0)
    flags.number("max_parameters", None, "most parameters, in millions", 0)
    flags.group("Output")
    flags.choice("sort", None, SORTS, "order; that of the published tables if not given")
    flags.choice("format", "table", FORMATS, "how the rows are written")


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
        fitting = {row.id for row in search(arguments[0])}
        selected = tuple(row for row in selected if row.id in fitting)
    print(table(selected, format=options.format))
    if options.format == "table":
        print(f"{len(selected)} rows")
