"""Lists the rows of the zoo.

    keras-video zoo --family tsm --dataset sthv1

Without flags, every published row has a line.
"""

from keras_video.zoo.catalogue import rows
from keras_video.zoo.table import lines
from keras_video.zoo.zoo_row import KINDS


def define(flags):
    flags.string("family", None, "such as tsn or slowfast")
    flags.string("dataset", None, "such as kinetics400 or sthv1")
    flags.choice("kind", None, KINDS, "kind of row; all published ones if not given")


def run(options, _):
    selected = rows(options.family, options.dataset, options.kind)
    print("\n".join(lines(selected)))
    print(f"{len(selected)} rows")
