"""Worker: a base MoViNet of the TensorFlow Model Garden, compiled by tf.function, on the CPU.

Started by runtimes.py in a separate environment, which takes TensorFlow from that of keras_video:

    python3.11 -m venv garden
    echo PATH_OF_SITE_PACKAGES_WITH_TENSORFLOW > garden/lib/python3.11/site-packages/tensorflow.pth
    garden/bin/pip install --no-deps tf-models-official==2.20.0 tf_keras gin-config immutabledict \
        pyyaml scipy psutil

Packages that the Model Garden imports for its other projects are replaced by empty ones.
"""

import argparse
import importlib
import importlib.abc
import importlib.machinery
import os
import sys
import types

import worker

UNUSED = {
    "cv2", "orbit", "pandas", "pycocotools", "sacrebleu", "sentencepiece", "seqeval", "tf_slim",
    "tensorflow_datasets", "tensorflow_hub", "tensorflow_model_optimization", "tensorflow_text",
}  # fmt: skip


class _Unused(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds the packages above, which provide a class or a module of any name."""

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in UNUSED:
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec):
        module = types.ModuleType(spec.name)
        module.__path__ = []

        def find_attribute(attribute):
            if attribute.startswith("__"):
                raise AttributeError(attribute)
            if attribute[0].isupper():
                return type(attribute, (), {})
            return importlib.import_module(f"{spec.name}.{attribute}")

        module.__getattr__ = find_attribute
        return module

    def exec_module(self, module):
        pass


def network(model_id):
    """The classifier of 600 classes, as published for clips."""
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    sys.meta_path.append(_Unused())
    from official.projects.movinet.modeling import movinet, movinet_model

    backbone = movinet.Movinet(model_id=model_id)
    return movinet_model.MovinetClassifier(backbone, num_classes=600)


def prepare(args):
    """Builds and warms up the subject; returns `(run, facts)`."""
    model = network(args.model)
    import tensorflow as tf
    import tf_keras

    clips = tf.random.stateless_normal(args.shape, (0, 0))
    if args.mode == "train":
        loss = tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(tf_keras.optimizers.SGD(1e-3, momentum=0.9), loss)
        labels = tf.zeros(len(clips), tf.int32)
        step = tf.function(model.train_step)

        def run():
            return step((clips, labels))["loss"].numpy()
    else:
        forward = tf.function(lambda data: model(data, training=False))

        def run():
            return forward(clips).numpy()

    run()
    run()
    return run, {"tensorflow": tf.__version__, "parameters": model.count_params()}


def build_parser():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--model", required=True, choices=[f"a{i}" for i in range(6)])
    parser.add_argument("--shape", required=True, type=lambda s: tuple(map(int, s.split(","))))
    parser.add_argument("--mode", choices=("inference", "train"), default="inference")
    return parser


if __name__ == "__main__":
    arguments = build_parser().parse_args()
    worker.serve(lambda: prepare(arguments))
