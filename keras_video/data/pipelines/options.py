"""Options that all loaders share."""

import dataclasses
from collections.abc import Callable

import tensorflow as tf

from .clip_reader import OnError
from .epoch import EpochCounter
from .report import DecodeReport


@dataclasses.dataclass(frozen=True)
class LoaderOptions:
    """Loader options besides records, source and transforms; see `dataset_from_records`."""

    batch_size: int | None = 8
    training: bool = False
    seed: int = 0
    epoch: EpochCounter | None = None
    classes: int | None = None
    multi_label: bool | None = None
    shuffle: bool | Callable | None = None
    on_error: OnError = "raise"
    report: DecodeReport | None = None
    decoder_resize: bool = False
    num_parallel_calls: int | None = tf.data.AUTOTUNE
    deterministic: bool = True
    drop_remainder: bool = False
    repeats: int = 1
    workers: int | None = None

    @classmethod
    def of(cls, arguments, **others):
        """The options among the arguments of a loader.

        Args:
            arguments: `locals()` of a loader. Its signature spells out the options for editors and
                `help()`; its body need not repeat them.
            **others: options that the loader sets itself.
        """
        names = {field.name for field in dataclasses.fields(cls)} - set(others)
        return cls(**{name: arguments[name] for name in names & set(arguments)}, **others)

    @property
    def shuffles(self):
        """`shuffle`, or `training` if it is `None`."""
        return self.training if self.shuffle is None else self.shuffle
