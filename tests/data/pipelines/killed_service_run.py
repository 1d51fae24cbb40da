"""Reads through a data service while one of its processes is killed.

    python killed_service_run.py worker|dispatcher

Prints the seconds from then to the error.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from keras_video import data
from tests.videos import moving_gradient, write_video

RECIPE = Path(__file__).parents[3] / "recipes" / "serve_data.py"


def start(*arguments):
    """A process of the service, and its first line of output."""
    environment = {**os.environ, "PYTHONPATH": str(RECIPE.parents[1])}
    command = [sys.executable, str(RECIPE), *arguments]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    return process, process.stdout.readline().strip()


def main(killed):
    dispatcher, address = start()
    worker, _ = start("--dispatcher", address.removeprefix("grpc://"))
    other, _ = start("--dispatcher", address.removeprefix("grpc://"))
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder, "video.mp4"))
            write_video(path, moving_gradient(8, 48, 32))
            dataset = data.served_dataset(
                [data.Record(path, (0,))] * 100,
                service=address,
                sampling=data.SampleFrames(1),
                transforms=(data.CenterCrop(16),),
                epochs=1000,
            )
            batches = iter(dataset)
            next(batches)
            killing = time.monotonic()
            {"worker": worker, "dispatcher": dispatcher}[killed].kill()
            try:
                for _ in batches:
                    time.sleep(0.01)
            finally:
                print(time.monotonic() - killing, flush=True)
    finally:
        for process in (dispatcher, worker, other):
            process.kill()


if __name__ == "__main__":
    main(*sys.argv[1:])
