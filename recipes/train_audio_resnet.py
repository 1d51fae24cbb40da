"""Trains a residual network over spectrograms of sound, evaluates and saves it.

Without flags: ResNet-18 on the sound of small videos whose class is a tone, made on first use.

    python recipes/train_audio_resnet.py

A published row on lists of `path label` lines; the paths are wav, mp3 or flac files, videos with
sound, or stored features (`.npy`, on lines `path frames label`):

    python recipes/train_audio_resnet.py --row tsn_r18_64x1x1_100e_kinetics400_audio_feature \
        --train_list train.txt --val_list val.txt --data_root videos
"""

from absl import app

from keras_video import training
from keras_video.inference.audio import predict_audio
from keras_video.training.flags import define_flags
from keras_video.training.run import begin
from keras_video.training.sound import audio_datasets, find_sounds

FLAGS = define_flags(row="audio_r18_40x1x1_sounding_shapes")


def main(_):
    run = begin(FLAGS, "AudioResNet", task="sound", find=find_sounds)
    train, test = audio_datasets(run)
    with run.scope():
        model = run.model()
        model.compile(run.optimizer(train), training.row_loss(run.row), metrics=run.metrics)
    run.fit(model, train, test)
    run.finish(model, test, predict=predict_audio)


if __name__ == "__main__":
    app.run(main)
