"""Trains an audiovisual SlowFast network (arXiv:2001.08740), evaluates and saves it.

Without flags: ResNet-50 pathways at 32 pixels on small videos whose class is a shape and a tone,
made on first use. Neither the frames nor the sound alone tell the classes apart.

    python recipes/train_avslowfast.py

On lists of `path label` lines of videos with sound tracks, with clips of 112 pixels:

    python recipes/train_avslowfast.py --size 112 \
        --train_list train.txt --val_list val.txt --data_root videos
"""

from absl import app

from keras_video import training
from keras_video.inference.audio import predict_audiovisual
from keras_video.training.flags import define_flags
from keras_video.training.run import begin
from keras_video.training.sound import audiovisual_datasets, find_sounds

FLAGS = define_flags(row="avslowfast_r50_16x2x1_sounding_shapes")


def main(_):
    run = begin(FLAGS, "AVSlowFast", task="both", find=find_sounds)
    train, test = audiovisual_datasets(run)
    with run.scope():
        model = run.model()
        model.compile(run.optimizer(train), training.row_loss(run.row), metrics=run.metrics)
    run.fit(model, train, test, callbacks=training.row_precise_norm(run.row, train))
    run.finish(model, test, predict=predict_audiovisual)


if __name__ == "__main__":
    app.run(main)
