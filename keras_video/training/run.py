"""A training run, configured by its row and its settings."""

import dataclasses
import math
import warnings
from dataclasses import dataclass
from pathlib import Path

import keras
import tensorflow as tf

from keras_video import data, zoo
from keras_video.layers.view_average import views_at_once
from keras_video.training.callbacks import EpochSeed, LearningRateScaling, training_callbacks
from keras_video.training.determinism import make_deterministic
from keras_video.training.distribution import (
    Worker,
    check_workers,
    distributed_dataset,
    replicas,
    this_worker,
)
from keras_video.training.early_stopping import StopWithoutProgress
from keras_video.training.evaluation import MultiViewEvaluation
from keras_video.training.finalize import finalize, finished_report
from keras_video.training.from_row import (
    prepare_norms,
    row_losses,
    row_metrics,
    row_monitor,
    row_optimizer,
    row_precise_norm,
)
from keras_video.training.lists import RunLists, find_lists, require_examples
from keras_video.training.lock import FolderLock
from keras_video.training.multigrid_run import fit_multigrid_run
from keras_video.training.precision import use_half_precision
from keras_video.training.resolve_config import (
    for_classes,
    model_input_shape,
    resolve_row,
    row_batch_size,
)
from keras_video.training.run_data import (
    identity_normalize,
    normalized_input,
    normalizes_in_model,
    run_datasets,
)
from keras_video.training.run_rate import search_rate
from keras_video.training.settings import RunSettings, check_exports
from keras_video.training.shared_statistics import SharedNormStatistics
from keras_video.training.synthetic import synthetic_lists
from keras_video.training.work_dir import (
    begin_run,
    check_settings,
    closing_run,
    is_finished,
    open_work_dir,
    verbosity,
)


def train(settings):
    """Trains the network of a row with the row's settings, evaluates it and saves it.

    Args:
        settings: a `RunSettings`.

    Returns:
        The content of `metrics.json`, without training again if the run in the folder is
        finished; a `RateCurve` with `lr_find`; `None` for a dry run, and in processes other than
        the chief.

    Raises:
        ValueError: for conflicting settings, settings that the row does not use, or a folder that
            contains files other than a run's.
        FolderInUseError: if another process trains in the folder.
        DivergedError: if losses, weights or scores are no longer finite.
    """
    run = start_run(settings)
    with closing_run(run.work_dir, run.lock):
        if is_finished(run):
            return finished_report(run)
        train_data, test_data = run_datasets(run)
        if settings.lr_find:
            return search_rate(run, train_data)
        with run.strategy.scope():
            model = run.model()
            run.compile(model, run.optimizer(len(train_data)))
        if run.lock is not None:
            begin_run(run.work_dir, settings)
        model = run.fit(model, train_data, test_data)
        return None if settings.dry_run else finalize(run, model, test_data)


def start_run(settings):
    """Resolves the row, devices, work folder, seeds, precision and lists of a run.

    Raises:
        ValueError: see `train`.
    """
    row = resolve_row(settings)
    worker = this_worker()
    check_workers(worker, row, settings.drop_remainder, settings.on_error)
    home = None if settings.dry_run else Path(settings.work_dir or f"work_dirs/{row.id}")
    row, lists = checked_lists(settings, row, home)
    strategy = replicas()
    copies = strategy.num_replicas_in_sync
    if settings.dry_run:
        work_dir, lock = None, None
        batch_size = settings.batch_size or 2 * copies
    else:
        batch_size = settings.batch_size or row_batch_size(row, copies)
        work_dir = worker.folder(home)
        lock = open_work_dir(work_dir, settings.resume) if worker.is_chief else None
    keras.utils.set_random_seed(settings.seed)
    if settings.deterministic:
        make_deterministic()
    if settings.mixed_precision:
        use_half_precision()
    return Run(settings, row, lists, work_dir, home, lock, worker, strategy, batch_size)


def checked_lists(settings, row, home):
    """The row for the run's data, and its lists; raises all errors before anything is written."""
    if settings.dry_run:
        return row, synthetic_lists(row)
    lists = find_lists(settings, row)
    if settings.data or settings.train_list:
        row = for_classes(row, len(lists.class_names))
        if settings.on_error == "raise":
            require_examples(lists)
    if not settings.lr_find:
        check_settings(home, settings, row.epochs)
        check_exports(settings.export)
    return row, lists


@dataclass(frozen=True)
class Run:
    """A run: its settings, resolved row, data, devices and folder.

    Attributes:
        settings: the `RunSettings`.
        row: with the size and views of the settings, and default training settings if none are
            published.
        lists: the annotation files, their folder and the class names.
        work_dir: the folder that this process writes to; `None` in a dry run.
        home: the folder of the run; `None` in a dry run.
        lock: of the folder; `None` in a dry run and in processes other than the chief.
        worker: this process among those of the training.
        strategy: the distribution strategy, which copies the model to every device.
        batch_size: videos per step over all replicas.
        epoch: counts the passes over the training examples.
    """

    settings: RunSettings
    row: zoo.Row
    lists: RunLists
    work_dir: Path | None
    home: Path | None
    lock: FolderLock | None
    worker: Worker
    strategy: tf.distribute.Strategy
    batch_size: int
    epoch: data.EpochCounter = dataclasses.field(default_factory=data.EpochCounter)

    @property
    def epochs(self):
        """Number of epochs of the training."""
        return self.settings.epochs or self.row.epochs

    @property
    def ema(self):
        """Momentum of the moving average of the weights, `None` if there is none."""
        return self.settings.ema or self.row.ema

    @property
    def max_views(self):
        """Views per forward pass in an evaluation."""
        return self.row.max_views or views_at_once(self.row.test_input_shape)

    def protocol(self, phase):
        """The protocol of a phase; pixels that the model normalizes stay uint8."""
        protocol = self.row.protocol(phase)
        if normalizes_in_model(protocol):
            return dataclasses.replace(protocol, normalize=None)
        return protocol

    def model(self):
        """The network to train, with its initial weights and the row's norms.

        It has class names and a protocol. If the row has an auxiliary loss, a second output is
        that of the auxiliary classifier.
        """
        auxiliary = {"auxiliary": True} if self.row.loss.auxiliary_weight else {}
        return prepare_norms(self._network(self.settings.weights, **auxiliary), self.row)

    def _network(self, weights, **arguments):
        arguments |= {
            "classes": len(self.lists.class_names),
            "input_shape": model_input_shape(self.row),
        }
        protocol = self.row.protocol("test")
        if normalizes_in_model(protocol):
            pixels = normalized_input(arguments["input_shape"], protocol.normalize)
            arguments["input_tensor"] = pixels
            protocol = dataclasses.replace(
                protocol, normalize=identity_normalize(protocol.normalize)
            )
        model = zoo.initial_model(self.row, weights, **arguments)
        model.class_names = list(self.lists.class_names)
        model.protocol = protocol
        return model

    def compile(self, model, optimizer):
        """Compiles a model returned by `model()` with the row's losses and metrics."""
        losses, weights = row_losses(self.row)
        metrics = [row_metrics(self.row), *([] for _ in losses[1:])]
        model.compile(optimizer, losses, loss_weights=weights, metrics=metrics)

    def optimizer(self, steps_per_epoch):
        """The row's optimizer, with the rate, accumulation and averaging of the settings."""
        settings = self.settings
        return row_optimizer(
            self.row,
            steps_per_epoch,
            epochs=self.epochs,
            learning_rate=settings.learning_rate,
            gradient_accumulation_steps=settings.accumulate,
            use_ema=self.ema is not None,
            ema_momentum=self.ema or 0.99,
        )

    def fit(self, model, train, test):
        """Trains with evaluation, logging and resuming; a dry run takes a single step.

        Returns:
            The trained model with one output.
        """
        if self.settings.dry_run:
            self._dry_run(model, train)
        elif self.row.multigrid:
            model = fit_multigrid_run(self, model, test)
        else:
            self._fit_epochs(model, train, test)
        if not self.row.loss.auxiliary_weight:
            return model
        plain = self._network(None)
        trained = {variable.path: variable for variable in model.weights}
        for variable in plain.weights:
            variable.assign(trained[variable.path])
        return plain

    def _fit_epochs(self, model, train, test):
        with warnings.catch_warnings():
            if self.settings.on_error == "skip":
                # Keras takes an epoch with fewer batches for an interrupted one.
                warnings.filterwarnings("ignore", "Your input ran out of data")
            model.fit(
                distributed_dataset(self.worker, self.strategy, train),
                epochs=self.epochs,
                callbacks=self.callbacks(test, row_precise_norm(self.row, train)),
                verbose=verbosity() if self.worker.is_chief else 0,
                shuffle=False,
            )

    def callbacks(self, test, callbacks=()):
        """The callbacks of `fit`: rate scaling, epoch, evaluation, logging and resuming.

        Args:
            test: the evaluation examples.
            callbacks: called before the evaluation at the end of an epoch.
        """
        accumulated = self.batch_size * (self.settings.accumulate or 1)
        scaling = LearningRateScaling(self.row.batch_size or accumulated, accumulated)
        if self.worker.count > 1:
            callbacks = [*callbacks, SharedNormStatistics(self.strategy)]
        evaluation = None
        if self.settings.validate:
            every = min(self.row.evaluation_interval or 1, self.epochs)
            evaluation = MultiViewEvaluation(test, self.row.score_average, self.max_views, every)
        monitor = evaluation and f"val_{row_monitor(self.row)}"
        stopping = []
        if self.settings.early_stopping:
            log = self.work_dir / "log.csv"
            stopping = [StopWithoutProgress(monitor, self.settings.early_stopping, log=log)]
        return training_callbacks(
            self.work_dir,
            [scaling, EpochSeed(self.epoch), *callbacks, *stopping],
            evaluation=evaluation,
            monitor=monitor,
            averaged=self.ema is not None,
            restore_from=self.home / "backup",
        )

    def _dry_run(self, model, train):
        history = model.fit(
            distributed_dataset(self.worker, self.strategy, train), verbose=0, shuffle=False
        )
        loss = history.history["loss"][-1]
        if not math.isfinite(loss):
            raise ValueError(f"The loss of one step of {self.row.name} on noise is {loss}.")
        print(f"One step of {self.row.name}: {self.batch_size} clips, loss {loss:.4f}")
