"""A run of a recipe: what its flags and its row come to, and the parts that no family changes."""

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path

import keras
import tensorflow as tf

from keras_video import data, zoo
from keras_video.inference.video import predict_video
from keras_video.training.callbacks import EpochSeed, LearningRateScaling, training_callbacks
from keras_video.training.distribution import (
    Worker,
    check_workers,
    replicas,
    share_of_batches,
    shared_dataset,
    this_worker,
)
from keras_video.training.evaluation import MultiViewEvaluation, views_at_once
from keras_video.training.finishing import finish
from keras_video.training.from_row import row_metrics, row_monitor, row_optimizer
from keras_video.training.made_up import made_up_batch, made_up_videos
from keras_video.training.normalization import normalized_input, plain_pixels
from keras_video.training.precision import use_half_precision
from keras_video.training.settled_row import for_classes, open_shape, settled_row, stated_batch
from keras_video.training.videos import VideoLists, find_videos
from keras_video.training.work_dir import open_work_dir, verbosity


@dataclass(frozen=True)
class Run:
    """What the flags of a recipe and its row come to.

    Attributes:
        flags: the flags of `define_flags`.
        row: with the size and views of the flags, and with a training where none is published.
        work_dir: the folder that this process writes to; `None` in a dry run.
        home: the folder of the run; `None` in a dry run.
        worker: this process among those of the training.
        videos: the lists, their folder and the class names.
        strategy: copies the model to every device.
        batch_size: videos of a step over all replicas.
        epochs: length of the training.
        epoch: counts the passes over the training clips.
    """

    flags: object
    row: zoo.Row
    work_dir: Path | None
    home: Path | None
    worker: Worker
    videos: VideoLists
    strategy: tf.distribute.Strategy
    batch_size: int
    epochs: int
    epoch: data.Epoch

    def datasets(self):
        """The training clips and, with all views of the test protocol, the evaluation clips.

        The training clips are this worker's: its share of every batch. In a dry run: one batch of
        noise in the row's shapes, and nothing to evaluate.
        """
        if self.flags.dry_run:
            train = made_up_batch(self.row, self.videos, self.batch_size, self.flags.seed)
            return self._blended(train), None
        common = {
            "source": self.videos.source,
            "classes": len(self.videos.class_names),
            "multi_label": self.row.loss.kind == "binary",
            "on_error": self.flags.on_error,
        }
        train = data.video_dataset(
            self.videos.train_list,
            self.videos.root,
            form=self.videos.train_form,
            sampling=data.row_sampling(self.row, "train"),
            steps=self._steps("train"),
            training=True,
            seed=self.flags.seed,
            epoch=self.epoch,
            drop_remainder=self.flags.drop_remainder,
            **share_of_batches(self.worker, self.batch_size, self.strategy),
            **common,
        )
        test = data.video_dataset(
            self.videos.val_list,
            self.videos.root,
            form=self.videos.val_form,
            sampling=data.row_sampling(self.row, "test"),
            steps=self._steps("test"),
            view_frames=self.row.view_frames,
            batch_size=self.flags.eval_batch_size,
            **common,
        )
        return self._blended(train), test

    def _steps(self, phase):
        """The row's clip steps; without the last one where the device normalises."""
        steps = data.row_steps(self.row, phase)
        return steps[:-1] if self.row.normalize.where == "device" else steps

    def _blended(self, train):
        """The batches with clips and labels mixed, where the row does that."""
        mix = data.row_blending(self.row, len(self.videos.class_names))
        if mix is None:
            return train
        epoch = None if self.flags.dry_run else self.epoch
        parts = self.strategy.num_replicas_in_sync // self.worker.count
        return data.blended_dataset(train, mix, seed=self.flags.seed, epoch=epoch, parts=parts)

    def scope(self):
        """The scope in which the model is built and compiled."""
        return self.strategy.scope()

    def model(self, **overrides):
        """The row's network for the classes of the run, with the weights it starts from.

        It knows its class names and how it is fed. `init=None` leaves it with random weights.
        """
        arguments = {
            "classes": len(self.videos.class_names),
            "input_shape": open_shape(self.row),
            **overrides,
        }
        init = arguments.pop("init", self.flags.init)
        settings = self.row.preprocessing()
        if settings.normalize is not None and settings.normalize.where == "device":
            pixels = normalized_input(arguments["input_shape"], settings.normalize)
            arguments["input_tensor"] = pixels
            settings = dataclasses.replace(settings, normalize=plain_pixels(settings.normalize))
        model = zoo.started_model(self.row, init, **arguments)
        model.class_names = list(self.videos.class_names)
        model.preprocessing = settings.facts()
        return model

    def optimizer(self, train, **options):
        """The row's optimizer with its schedule over the batches of `train`."""
        return row_optimizer(
            self.row,
            len(train),
            epochs=self.epochs,
            learning_rate=self.flags.learning_rate,
            gradient_accumulation_steps=self.flags.accumulate,
            use_ema=self.flags.ema is not None,
            ema_momentum=self.flags.ema or 0.99,
            **options,
        )

    @property
    def metrics(self):
        """What is measured while training."""
        return row_metrics(self.row)

    @property
    def max_views(self):
        """Views that go through the network at once in an evaluation."""
        return self.row.max_views or views_at_once(self.row.test_input_shape)

    def fit(self, model, train, test, callbacks=()):
        """Trains, evaluates along the way, records and resumes; in a dry run makes one step.

        Args:
            callbacks: of the family, called before the evaluation at the end of an epoch.
        """
        if self.flags.dry_run:
            self._try(model, train, callbacks)
            return
        every = self.callbacks(test, callbacks)
        verbose = verbosity() if self.worker.is_chief else 0
        train = shared_dataset(self.worker, self.strategy, train)
        model.fit(train, epochs=self.epochs, callbacks=every, verbose=verbose, shuffle=False)

    def callbacks(self, test, callbacks=()):
        """Those of `fit`: rate scaling, epoch, evaluation, and what records and resumes a run."""
        accumulated = self.batch_size * (self.flags.accumulate or 1)
        scaling = LearningRateScaling(self.row.batch_size or accumulated, accumulated)
        evaluation = None
        if self.flags.validate:
            every = min(self.row.evaluation_interval or 1, self.epochs)
            evaluation = MultiViewEvaluation(test, self.row.average, self.max_views, every)
        return training_callbacks(
            self.work_dir,
            [scaling, EpochSeed(self.epoch), *callbacks],
            evaluation=evaluation,
            monitor=evaluation and f"val_{row_monitor(self.row)}",
            averaged=self.flags.ema is not None,
            restore_from=self.home / "backup",
        )

    def _try(self, model, train, callbacks):
        train = shared_dataset(self.worker, self.strategy, train)
        history = model.fit(train, callbacks=list(callbacks), verbose=0, shuffle=False)
        loss = history.history["loss"][-1]
        if not math.isfinite(loss):
            raise ValueError(f"The loss of one step of {self.row.name} on noise is {loss}.")
        print(f"One step of {self.row.name}: {self.batch_size} clips, loss {loss:.4f}")

    def finish(self, model, test, predict=predict_video):
        """Saves, evaluates and tries the model; see `keras_video.training.finishing.finish`."""
        return None if self.flags.dry_run else finish(self, model, test, predict)


def begin(flags, constructor, task="appearance", find=find_videos):
    """Starts a run: settles row, devices, work folder, seeds, precision and videos.

    Args:
        flags: of `define_flags`, parsed.
        constructor: name of the model in `keras_video.applications` that the recipe trains.
        task: of the embedded dataset, which is used when the flags name no lists.
        find: `find(flags, row, task)` gives the `VideoLists`.

    Raises:
        ValueError: if the row is of another recipe or cannot be trained by several workers, or
            flags contradict each other.
    """
    row = settled_row(flags, constructor)
    worker = this_worker()
    check_workers(worker, row, flags.drop_remainder)
    strategy = replicas()
    copies = strategy.num_replicas_in_sync
    if flags.dry_run:
        home, work_dir, videos = None, None, made_up_videos(row)
        batch_size = flags.batch_size or 2 * copies
    else:
        batch_size = flags.batch_size or stated_batch(row, copies)
        home = Path(flags.work_dir or f"work_dirs/{row.name}")
        work_dir = worker.folder(home)
        if worker.is_chief:
            open_work_dir(work_dir, flags)
        videos = find(flags, row, task)
        row = for_classes(row, len(videos.class_names)) if flags.train_list else row
    keras.utils.set_random_seed(flags.seed)
    if flags.deterministic:
        tf.config.experimental.enable_op_determinism()
    if flags.mixed_precision:
        use_half_precision()
    return Run(
        flags=flags,
        row=row,
        work_dir=work_dir,
        home=home,
        worker=worker,
        videos=videos,
        strategy=strategy,
        batch_size=batch_size,
        epochs=flags.epochs or row.epochs,
        epoch=data.Epoch(),
    )
