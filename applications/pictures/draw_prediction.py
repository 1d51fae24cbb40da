"""Draws prediction.png: a model's scores while a video goes on.

    python recipes/train_tsn.py
    python applications/pictures/draw_prediction.py

The first command trains on moving shapes and leaves the model. The video is four of their
validation videos, one after the other.
"""

from pathlib import Path

import numpy as np
from absl import app, flags
from PIL import Image

from keras_video import data, inference
from keras_video.inference.drawing import ScoreDrawing
from keras_video.weights import load_model

FLAGS = flags.FLAGS
flags.DEFINE_string("model", "work_dirs/tsn_r18_1x1x4_moving_shapes/model.keras", "trained model")
flags.DEFINE_string("out", str(Path(__file__).with_name("prediction.png")), "picture to write")
flags.DEFINE_string("video", "work_dirs/shapes.mp4", "where the video goes")

MOMENTS = (0.12, 0.42, 0.88)


def main(_):
    model = load_model(FLAGS.model)
    lists = data.embedded_dataset("appearance")
    records = data.read_annotations(lists.val_list, lists.root)
    by_class = {record.labels[0]: record for record in records}
    join([by_class[label].path for label in list(by_class)[:4]], FLAGS.video)
    windows = inference.predict_windows(model, FLAGS.video, window=0.4, stride=0.08)
    drawing = ScoreDrawing(windows, model.class_names, top=4)
    times = data.open_video(FLAGS.video).times
    wanted = [int(moment * len(times)) for moment in MOMENTS]
    frames = [
        drawing(image, times[index] - times[0])
        for index, image in data.frames_in_order(FLAGS.video, wanted)
    ]
    gap = np.full((frames[0].shape[0], 12, 3), 255, np.uint8)
    picture = Image.fromarray(np.concatenate([frames[0], gap, frames[1], gap, frames[2]], axis=1))
    picture.quantize(128).save(FLAGS.out, optimize=True)
    print(f"{FLAGS.out}: {Path(FLAGS.out).stat().st_size // 1000} kB")


def join(paths, target):
    """Writes videos one after the other."""
    with data.VideoWriter(target, data.frame_rate(paths[0])) as writer:
        for path in paths:
            for _, image in data.frames_in_order(path):
                writer.write(image)


if __name__ == "__main__":
    app.run(main)
