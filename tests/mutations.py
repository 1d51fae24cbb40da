"""Mutation testing: changes one line at a time and runs its tests; survivors are untested code.

    python tests/mutations.py                 # every mutation
    python tests/mutations.py --only ema      # those whose name contains this text
    python tests/mutations.py --jobs 2 --out survivors.md

Each mutation replaces a text that occurs exactly once in a file of a copy of the checkout. The
unchanged copy has to pass first.
"""

import argparse
import concurrent.futures
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
WIRING = "tests/training/test_run_wiring.py"


@dataclass(frozen=True)
class Mutation:
    """A change that a test has to detect.

    Attributes:
        name: description of the change.
        file: path relative to `keras_video/`.
        old, new: the text and its replacement; `old` occurs exactly once.
        tests: test files that cover the code.
    """

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...] = (WIRING,)

    def apply(self, root):
        """Applies the mutation to the copy of the checkout in `root`."""
        path = root / "keras_video" / self.file
        text = path.read_text(encoding="utf-8")
        if text.count(self.old) != 1:
            raise ValueError(
                f"{self.name}: received {text.count(self.old)} occurrences of {self.old!r} in "
                f"{self.file}, expected one"
            )
        path.write_text(text.replace(self.old, self.new), encoding="utf-8")


def training(name, file, old, new, *tests):
    return Mutation(name, f"training/{file}", old, new, tests or (WIRING,))


RUN, FROM_ROW = "run.py", "from_row.py"
MUTATIONS = (
    # norms
    training(
        "norms left unchanged",
        RUN,
        "return prepare_norms(self._network(self.settings.weights, **auxiliary), self.row)",
        "return self._network(self.settings.weights, **auxiliary)",
    ),
    training("partial norms not frozen", FROM_ROW, "if row.norm.partial:", "if False:"),
    training(
        "frozen norms not frozen",
        FROM_ROW,
        "    elif row.norm.frozen:\n        freeze_batch_norm(model)\n",
        "",
    ),
    training(
        "statistics not frozen",
        FROM_ROW,
        "        return hold_statistics(model)\n",
        "        pass\n",
    ),
    training(
        "norms not synchronized",
        FROM_ROW,
        "        synchronize_batch_norm(model)\n",
        "        pass\n",
    ),
    training(
        "precise norms dropped",
        RUN,
        "self.callbacks(test, row_precise_norm(self.row, train))",
        "self.callbacks(test)",
    ),
    training("precise norms of multigrid dropped", "multigrid_run.py", "(test, precise)", "(test)"),
    # losses
    training(
        "auxiliary weight 0",
        FROM_ROW,
        "[weight, row.loss.auxiliary_weight]",
        "[weight, 0.0]",
    ),
    training("auxiliary output not built", RUN, '{"auxiliary": True} if', "{} if"),
    training(
        "binary loss categorical",
        FROM_ROW,
        "return BinaryCrossentropy(row.loss.weight, label_smoothing=smoothing)",
        "pass",
    ),
    training(
        "binary loss weight dropped",
        FROM_ROW,
        "BinaryCrossentropy(row.loss.weight, label_smoothing=smoothing)",
        "BinaryCrossentropy(label_smoothing=smoothing)",
    ),
    training(
        "mixed labels as indices",
        FROM_ROW,
        "if row.mixup_alpha or row.cutmix_alpha:\n        return",
        "if False:\n        return",
    ),
    training(
        "multi-label monitor",
        FROM_ROW,
        '"mean_average_precision" if row.loss.kind == "binary" else "top1"',
        '"top1"',
    ),
    training(
        "labels of the auxiliary head",
        "run_data.py",
        "(clips, (labels, labels))",
        "(clips, labels)",
        WIRING,
        "tests/cli/test_train.py",
    ),
    # optimizer and schedule
    training(
        "learning rate ignored", RUN, "            learning_rate=settings.learning_rate,\n", ""
    ),
    training(
        "epochs ignored by the schedule",
        RUN,
        "            epochs=self.epochs,\n            learning_rate",
        "            learning_rate",
    ),
    training(
        "epochs ignored by fit",
        RUN,
        "                epochs=self.epochs,\n                callbacks",
        "                epochs=self.row.epochs,\n                callbacks",
    ),
    training(
        "accumulation ignored",
        RUN,
        "            gradient_accumulation_steps=settings.accumulate,\n",
        "",
    ),
    training(
        "accumulated batch not scaled",
        RUN,
        "self.batch_size * (self.settings.accumulate or 1)",
        "self.batch_size",
    ),
    training(
        "momentum dropped",
        FROM_ROW,
        "        settings.momentum,\n        settings.nesterov,\n",
        "        0.8,\n        settings.nesterov,\n",
    ),
    training("nesterov dropped", FROM_ROW, "        settings.nesterov,\n", "        False,\n"),
    training(
        "decay dropped",
        FROM_ROW,
        "        settings.nesterov,\n        settings.weight_decay,\n",
        "        settings.nesterov,\n        0.0,\n",
    ),
    training("layer decay dropped", FROM_ROW, "            settings.layer_decay,\n", ""),
    training(
        "body multiplier dropped",
        FROM_ROW,
        "    body = settings.body_multiplier\n",
        "    body = 1\n",
    ),
    training(
        "clip norm dropped",
        FROM_ROW,
        '"global_clipnorm": row.gradient_clip',
        '"global_clipnorm": None',
    ),
    training(
        "parameter groups dropped",
        FROM_ROW,
        "    if settings.grouped:\n        return",
        "    if False:\n        return",
    ),
    training(
        "classifier multiplier dropped",
        FROM_ROW,
        "fc_lr5=settings.classifier_multiplier != 1",
        "fc_lr5=False",
    ),
    training(
        "norms decay",
        FROM_ROW,
        "not settings.norm_decay, not settings.bias",
        "False, not settings.bias",
    ),
    training("biases decay", FROM_ROW, "not settings.bias_decay, not", "False, not"),
    training(
        "label smoothing dropped",
        FROM_ROW,
        "    if smoothing:\n        return",
        "    if False:\n        return",
    ),
    training(
        "warm-up dropped",
        FROM_ROW,
        "        if length:\n            warmup",
        "        if False:\n            warmup",
    ),
    training(
        "warm-up by epoch as iterations",
        FROM_ROW,
        "        if schedule.warmup_by_epoch:\n",
        "        if False:\n",
    ),
    training("steps not stretched", FROM_ROW, "round(step * stretch)", "round(step)"),
    training(
        "minimum learning rate dropped", FROM_ROW, "min_learning_rate=least, **common)", "**common)"
    ),
    training(
        "rate not scaled with the batch",
        RUN,
        "[scaling, EpochSeed(self.epoch), *callbacks, *stopping]",
        "[EpochSeed(self.epoch), *callbacks, *stopping]",
    ),
    training(
        "epoch not passed to the data",
        RUN,
        "[scaling, EpochSeed(self.epoch), *callbacks, *stopping]",
        "[scaling, *callbacks, *stopping]",
    ),
    # evaluation
    training("early stopping ignored", RUN, "*callbacks, *stopping]", "*callbacks]"),
    training("validate ignored", RUN, "        if self.settings.validate:\n", "        if True:\n"),
    training(
        "evaluation interval ignored",
        RUN,
        "min(self.row.evaluation_interval or 1, self.epochs)",
        "1",
    ),
    training(
        "views averaged differently",
        RUN,
        "MultiViewEvaluation(test, self.row.score_average,",
        "MultiViewEvaluation(test, 'score' if self.row.score_average == 'prob' else 'prob',",
    ),
    training(
        "maximum views ignored",
        RUN,
        "return self.row.max_views or views_at_once",
        "return views_at_once",
    ),
    training(
        "EMA weights not evaluated",
        RUN,
        "            averaged=self.ema is not None,\n",
        "",
    ),
    training("EMA not computed", RUN, "            use_ema=self.ema is not None,\n", ""),
    # data
    training("joint source dropped", "run_data.py", "    if run.row.joint:\n", "    if False:\n"),
    training("batch mixing dropped", "run_data.py", "    train = mix_batches(run, train)\n", ""),
    training(
        "device normalization dropped", RUN, '            arguments["input_tensor"] = pixels\n', ""
    ),
    training(
        "device normalization twice",
        RUN,
        "            return dataclasses.replace(protocol, normalize=None)\n",
        "            return protocol\n",
    ),
    training(
        "label exchange kept for other classes",
        RUN,
        "        row = for_classes(row, len(lists.class_names))\n",
        "",
    ),
    training("on_error ignored", "run_data.py", '        "on_error": run.settings.on_error,\n', ""),
    training(
        "last batch kept",
        "run_data.py",
        "        drop_remainder=run.settings.drop_remainder,\n",
        "",
    ),
    training(
        "evaluation as training", "run_data.py", "run.protocol(phase)", 'run.protocol("train")'
    ),
    training(
        "batch size ignored",
        RUN,
        "batch_size = settings.batch_size or row_batch_size(row, copies)",
        "batch_size = row_batch_size(row, copies)",
    ),
    training(
        "initial weights ignored",
        RUN,
        "self._network(self.settings.weights,",
        "self._network(None,",
    ),
    training("seed ignored", RUN, "    keras.utils.set_random_seed(settings.seed)\n", ""),
    training(
        "half precision ignored", RUN, "    if settings.mixed_precision:\n", "    if False:\n"
    ),
    training("size ignored", "resolve_config.py", "    if settings.size:\n", "    if False:\n"),
    training("views ignored", "resolve_config.py", "    if settings.views:\n", "    if False:\n"),
    # protocol
    Mutation(
        "scores averaged instead of probabilities",
        "inference/views.py",
        'if score_average == "score":\n',
        'if score_average == "prob":\n',
        ("tests/inference/test_views.py",),
    ),
    Mutation(
        "label exchange dropped",
        "data/rows/presets.py",
        "flipped_labels(spatial), flow=flow",
        "None, flow=flow",
        ("tests/data/rows/test_presets.py", WIRING),
    ),
    Mutation(
        "class weights dropped",
        "training/losses.py",
        "            losses = losses * ops.convert_to_tensor(self.class_weight, losses.dtype)\n",
        "            pass\n",
        ("tests/training/test_losses.py",),
    ),
    training(
        "repeated augmentation dropped",
        "run_data.py",
        "        repeats=run.row.repeated_augmentation,\n",
        "",
    ),
    Mutation(
        "random erasing dropped",
        "data/rows/presets.py",
        "        if erasing := erasing_transforms(protocol.spatial):\n",
        "        if erasing := []:\n",
    ),
    Mutation(
        "choice of batch mixing dropped",
        "data/rows/presets.py",
        "        return MixUpOrCutMix(classes or row.classes, *alphas, row.cutmix_share)\n",
        "        pass\n",
    ),
    Mutation(
        "color jitter dropped",
        "data/rows/presets.py",
        "        transforms.append(ColorJitter(*strengths))\n",
        "        pass\n",
    ),
    # command line
    Mutation(
        "a flag without effect",
        "cli/run_settings.py",
        "for name in names}",
        'for name in names if name != "ema"}',
    ),
    Mutation(
        "traceback shown to users",
        "cli/main.py",
        "        if options.traceback:",
        "        if True:",
        ("tests/cli/test_main.py",),
    ),
    Mutation(
        "an error ends with status 0",
        "cli/main.py",
        "                print(_SKIP, file=sys.stderr)\n        return 1\n",
        "                print(_SKIP, file=sys.stderr)\n        return 0\n",
        ("tests/cli/test_main.py",),
    ),
)


def survives(mutation, source):
    """Whether the tests still pass with a mutation; `None` means the unchanged checkout."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "checkout"
        shutil.copytree(source, root)
        tests = [WIRING]
        if mutation is not None:
            mutation.apply(root)
            tests = mutation.tests
        # Every eighth row first, as it is faster; the unchanged checkout is tested on all rows.
        for every in ("8", "1") if mutation is not None and WIRING in tests else ("1",):
            run = run_tests(root, tests, every)
            if run.returncode:
                break
        if mutation is None and run.returncode:
            raise SystemExit(f"The tests fail without any mutation:\n{run.stdout[-3000:]}")
        return run.returncode == 0


def run_tests(root, tests, every):
    """Runs tests of a checkout; those of the wiring on one row in `every`."""
    environment = {**os.environ, "PYTHONPATH": str(root), "TF_CPP_MIN_LOG_LEVEL": "3"}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests],
        cwd=root,
        env={**environment, "KERAS_VIDEO_WIRING_EVERY": every},
        capture_output=True,
        text=True,
    )


def checkout(folder):
    """Copies the files tracked by git, as they are on disk."""
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in tracked.stdout.splitlines():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).exists():
            shutil.copy2(ROOT / name, target)
    return folder


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--only", default="", help="mutations whose name contains this text")
    parser.add_argument("--jobs", type=int, default=1, help="mutations tested at the same time")
    parser.add_argument("--out", help="file for the table")
    arguments = parser.parse_args()
    chosen = [mutation for mutation in MUTATIONS if arguments.only in mutation.name]
    lines = ["| mutation | file | detected |", "| --- | --- | --- |"]
    with tempfile.TemporaryDirectory() as folder:
        source = checkout(Path(folder) / "source")
        survives(None, source)
        started = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
            for number, (mutation, left) in enumerate(
                zip(
                    chosen,
                    pool.map(lambda mutation: survives(mutation, source), chosen),
                    strict=True,
                ),
                1,
            ):
                detected = "**no**" if left else "yes"
                lines.append(f"| {mutation.name} | {mutation.file} | {detected} |")
                seconds = time.monotonic() - started
                print(
                    f"{number}/{len(chosen)} {seconds:5.0f} s {detected:6} {mutation.name}",
                    flush=True,
                )
    left = sum("**no**" in line for line in lines)
    lines.append(f"\n{left} of {len(chosen)} survive.")
    print(lines[-1])
    if arguments.out:
        Path(arguments.out).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
