"""A program whose forked processes read videos.

    python forked_run.py computed|fresh PATH

Prints the results of two functions in the fork: reading a video and loading a dataset. With
"computed", the parent has used TensorFlow before.
"""

import multiprocessing
import sys

import tensorflow as tf

from keras_video import data


def read(path):
    return data.open_video(path).read([0, 3]).shape


def load(path):
    batches = data.dataset_from_records(
        [data.Record(path, (0,))], sampling=data.SampleFrames(1), transforms=(data.CenterCrop(16),)
    )
    return [clips.shape.as_list() for clips, _ in batches]


def main(before, path):
    if before == "computed":
        load(path)
        tf.matmul(tf.ones([9, 9]), tf.ones([9, 9]))
    with multiprocessing.get_context("fork").Pool(1) as pool:
        for function in (read, load):
            try:
                print(pool.map_async(function, [path]).get(timeout=100), flush=True)
            except Exception as error:
                print(type(error).__name__, error, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
