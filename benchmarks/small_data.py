r"""Fine-tuning on few clips: a row's recipe, the same with --small_data, and probes, by seed.

    python benchmarks/small_data.py --clips exercise_typing --work_dir runs/small_data

`--clips` is a folder with `train.txt` and `val.txt` (`path label`) and the videos that they list.
Two tasks, with a ResNet-18 on 4 frames in crops of 32 pixels (`tsn_r18_1x1x4_moving_shapes`):

- "clips": these videos; every seed holds out 30 % of each class for evaluation. Training starts
  from weights pretrained on the embedded moving shapes, task "appearance".
- "shapes": 5 embedded videos of each of 4 shapes, 100 others for evaluation. Training starts from
  weights pretrained on the embedded task "order".

Every result is stored in `results.json`: an interrupted run resumes.
"""

import json
import random
import time
from pathlib import Path

import keras
import numpy as np
from absl import app, flags

from keras_video import atomic, data, load_model, probes
from keras_video.data.parallel import make_files
from keras_video.data.prepare.frames import pairs_below
from keras_video.data.prepare.resizing import resize_video
from keras_video.training import RunSettings, train

ROW = "tsn_r18_1x1x4_moving_shapes"
EPOCHS, PRETRAINING_EPOCHS, SIZE, VIEWS = 15, 10, 32, (4, 1)
HELD_OUT = 0.3
TRAININGS, PROBES = ("plain", "small_data"), ("linear", "attentive", "knn")

FLAGS = flags.FLAGS
flags.DEFINE_string("clips", None, "folder with train.txt, val.txt and their videos")
flags.DEFINE_string("work_dir", "work_dirs/small_data", "folder of the runs")
flags.DEFINE_multi_enum("task", ["clips", "shapes"], ["clips", "shapes"], "tasks")
flags.DEFINE_multi_enum("method", [*TRAININGS, *PROBES], [*TRAININGS, *PROBES], "methods")
flags.DEFINE_integer("seeds", 5, "number of seeds", 1)


def resized_clips(work_dir):
    """The folder of the videos of --clips, downscaled, and the lines of their lists."""
    source, folder = Path(FLAGS.clips), work_dir / "clips"

    def make(video, path):
        return resize_video(video, path, short_side=40, keyframe_every=8)

    make_files(make, pairs_below(source, folder, data.Videos().find, ".mp4"))
    lists = [(source / name).read_text().split("\n") for name in ("train.txt", "val.txt")]
    return folder, [line.split() for lines in lists for line in lines if line.strip()]


def clip_lists(work_dir, seed):
    """`(train list, val list, root)` of the clips."""
    root, lines = resized_clips(work_dir)
    rng, parts = random.Random(seed), {"val": [], "train": []}
    for label in sorted({line[1] for line in lines}):
        own = [line for line in lines if line[1] == label]
        rng.shuffle(own)
        count = round(len(own) * HELD_OUT)
        parts["val"] += own[:count]
        parts["train"] += own[count:]
    folder = work_dir / f"split{seed}"
    for name, part in parts.items():
        text = "".join(" ".join(line) + "\n" for line in part)
        atomic.write_text(folder / f"{name}.txt", text)
    return folder / "train.txt", folder / "val.txt", root


def shape_lists(work_dir, seed):
    """`(train list, val list, root)` of a few embedded videos."""
    shapes = data.make_moving_shapes(
        work_dir / f"appearance5_{seed}",
        "appearance",
        videos_per_class=5,
        val_videos_per_class=25,
        seed=100 + seed,
    )
    return shapes.train_list, shapes.val_list, shapes.root


# The lists of each task, and the embedded task that its weights were pretrained on.
TASKS = {"clips": (clip_lists, "appearance"), "shapes": (shape_lists, "order")}


def pretrained_model(work_dir, task):
    """Path of a model trained on an embedded dataset, which is trained if it is missing."""
    folder = work_dir / f"pre_tsn_{task}"
    if not (folder / "metrics.json").exists():
        run(
            folder,
            data.make_moving_shapes(work_dir / task, task)[:2],
            work_dir / task,
            0,
            epochs=10,
        )
    return folder / "model.keras"


def run(folder, lists, root, seed, **settings):
    """Trains a model and returns its top-1 accuracy."""
    train_list, val_list = map(str, lists)
    report = train(
        RunSettings(
            ROW, train_list=train_list, val_list=val_list, data_root=str(root),
            work_dir=str(folder), views=VIEWS, size=SIZE, validate=False, seed=seed, resume=False,
            drop_remainder=False, **settings,
        )
    )  # fmt: skip
    keras.backend.clear_session()
    return report["top1"]


def run_method(work_dir, task, method, seed):
    """`(accuracy, seconds, CPU seconds)` of a method."""
    make_lists, start = TASKS[task]
    train_list, val_list, root = make_lists(work_dir, seed)
    weights = pretrained_model(work_dir, start)
    clock, cpu = time.monotonic(), time.process_time()
    if method in TRAININGS:
        accuracy = run(
            work_dir / "runs" / f"{task}_{method}_{seed}", (train_list, val_list), root, seed,
            epochs=EPOCHS, weights=str(weights), small_data=method == "small_data",
        )  # fmt: skip
    else:
        records = [data.read_annotations(path, root) for path in (train_list, val_list)]
        names = sorted({str(record.labels[0]) for record in records[0]})
        cache = work_dir / "features" / f"{task}_{method}_{seed}"
        result = probes.probe(
            load_model(weights), records[0], names, held_out=records[1], head=method, views=VIEWS,
            seed=seed, cache=cache, verbose=0,
        )  # fmt: skip
        accuracy = result.held_out.accuracy
    return accuracy, time.monotonic() - clock, time.process_time() - cpu


def main(_):
    work_dir = Path(FLAGS.work_dir)
    results_file = work_dir / "results.json"
    results = json.loads(results_file.read_text()) if results_file.exists() else {}
    for seed in range(FLAGS.seeds):
        for task in FLAGS.task:
            for method in FLAGS.method:
                name = f"{task} {method} {seed}"
                if name not in results:
                    figures = run_method(work_dir, task, method, seed)
                    results[name] = [round(figure, 4) for figure in figures]
                    atomic.write_text(results_file, json.dumps(results, indent=1) + "\n")
                    print(name, results[name], flush=True)
    print_table(results)


def print_table(results):
    print("| task | method | accuracy of each seed | mean | deviation | seconds | CPU seconds |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for task in FLAGS.task:
        for method in FLAGS.method:
            rows = [results[f"{task} {method} {seed}"] for seed in range(FLAGS.seeds)]
            accuracy, seconds, cpu = np.array(rows).T
            by_seed = " ".join(f"{100 * value:.0f}" for value in accuracy)
            deviation = accuracy.std(ddof=1) if len(rows) > 1 else 0.0
            print(
                f"| {task} | {method} | {by_seed} | {100 * accuracy.mean():.1f} | "
                f"{100 * deviation:.1f} | {seconds.mean():.0f} | {cpu.mean():.0f} |"
            )


if __name__ == "__main__":
    flags.mark_flag_as_required("clips")
    app.run(main)
