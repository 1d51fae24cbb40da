"""A recipe for the rows of families that have none of their own."""

from keras_video import training, zoo
from keras_video.training.flags import define_flags
from keras_video.training.run import begin

FLAGS = define_flags(row="r2plus1d_18_8x2x1_moving_shapes_torchvision")


def main(_):
    run = begin(FLAGS, zoo.row(FLAGS.row).constructor, task="order")
    train, test = run.datasets()
    with run.scope():
        model = training.prepare_norms(run.model(), run.row)
        model.compile(run.optimizer(train), training.row_loss(run.row), metrics=run.metrics)
    run.fit(model, train, test)
    run.finish(model, test)
