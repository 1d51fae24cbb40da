"""Worker: an online TSM as a `Stream`, one frame at a time, on the CPU.

Started by stream.py. To run it alone:

    echo "run 5" | python keras_stream.py --row ROW --shape 1,8,224,224,3
"""

import keras
import numpy as np
import tensorflow as tf
import worker
from keras_model import build_parser, count_trainable_parameters

from keras_video import zoo
from keras_video.inference import Stream, fold_batch_norm


def prepare(args):
    """Builds and warms up the subject; returns `(run, facts)`."""
    tf.config.set_visible_devices([], "GPU")
    keras.utils.set_random_seed(0)
    model = zoo.row(args.row).model(weights=None, input_shape=args.shape[1:], online=True)
    parameters = count_trainable_parameters(model)
    stream = Stream(fold_batch_norm(model) if args.folded else model, window=args.shape[1])
    frame = np.random.default_rng(0).normal(size=args.shape[2:]).astype("float32")

    def run():
        stream(frame)

    run()
    run()
    return run, {"tensorflow": tf.__version__, "parameters": parameters}


if __name__ == "__main__":
    arguments = build_parser().parse_args()
    worker.serve(lambda: prepare(arguments))
