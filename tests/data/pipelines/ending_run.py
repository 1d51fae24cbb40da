"""A program that encounters an error or a signal while videos are still being read.

    python ending_run.py WAY

WAY is what the main thread does: "fit" on a list with a bad video, "exit" in the middle of an
epoch, or "wait" for a signal; "stuck" is "exit" with a read that never returns.
"""

import dataclasses
import sys
import threading
import time

import keras
import numpy as np

from keras_video import data
from keras_video.data.decoding.videos import DecodeError

# There is no argument if a test imports this module for its path.
WAY = sys.argv[1] if __name__ == "__main__" else None
OPENED = threading.Semaphore(0)
# A discarded iterator waits for its reads; this one still exists at exit.
KEPT = []


class Opened:
    total_frames = 10

    def __init__(self, path):
        self.path = path

    def read(self, indices):
        OPENED.release()
        number = int(self.path)
        if number == 1 and WAY == "fit":
            raise DecodeError(self.path, "it is bad")
        if number > 3:
            # Half of the reads are busy, like a Python decoder; the others wait, as if for a disk.
            end = time.monotonic() + (1000 if WAY == "stuck" and number == 6 else 2)
            while time.monotonic() < end:
                time.sleep(0.001 if number % 2 else end - time.monotonic())
        return np.zeros((np.size(indices), 8, 8, 3), np.uint8)


@dataclasses.dataclass(frozen=True)
class Slow:
    annotation_format = None
    dtype = "uint8"

    def open(self, record, rng=None):
        return Opened(record.path)

    def shape(self, clips, clip_len):
        return (clips and clips * clip_len, None, None, 3)


def main():
    dataset = data.dataset_from_records(
        [data.Record(str(number), (0,), "list.txt", number + 1) for number in range(60)],
        sampling=data.SampleFrames(1),
        transforms=(data.CenterCrop(8), data.Normalize((1.0,) * 3, (1.0,) * 3)),
        source=Slow(),
        batch_size=2,
        num_parallel_calls=4,
    )
    if WAY == "fit":
        model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        model.fit(dataset, verbose=0)
    batches = iter(dataset)
    next(batches)
    if WAY == "stuck":
        KEPT.append(batches)
    for _ in range(6):
        OPENED.acquire()
    print("reading", flush=True)
    if WAY == "wait":
        threading.Event().wait()
    sys.exit(3)


if __name__ == "__main__":
    main()
