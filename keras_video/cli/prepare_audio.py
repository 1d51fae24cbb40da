"""Extracts the audio of all videos of a folder as WAV files or spectrograms.

    keras-video prepare audio --videos videos --out audio
    keras-video prepare audio --videos videos --out features --as features

`videos/a/b.mp4` becomes `audio/a/b.wav` or `features/a/b.npy`, the log-mel features that the audio
rows are trained on. An interrupted run resumes where it stopped. Videos without audio are listed;
the exit status is then 1.
"""

import functools

from absl import logging

from keras_video.data.audio.sources import AUDIO_SUFFIXES
from keras_video.data.parallel import make_files
from keras_video.data.prepare.audio import extract_features, extract_wav
from keras_video.data.prepare.frames import pairs_below
from keras_video.data.sources.videos import VIDEO_SUFFIXES, files_in


def define(flags):
    flags.string("videos", None, "folder with videos or audio files", required=True)
    flags.string("out", None, "folder for the new files", required=True)
    flags.choice("as", "wav", ("wav", "features"), "output format")
    flags.integer("sample_rate", 16000, "samples per second", 1)
    flags.integer("workers", None, "files processed in parallel", 1)


def run(options, _):
    logging.set_verbosity(logging.INFO)
    extract, suffix = {"wav": (extract_wav, ".wav"), "features": (extract_features, ".npy")}[
        getattr(options, "as")
    ]
    find = functools.partial(files_in, suffixes=VIDEO_SUFFIXES | AUDIO_SUFFIXES)
    pairs = pairs_below(options.videos, options.out, find, suffix)
    make = functools.partial(extract, sample_rate=options.sample_rate)
    done = make_files(make, pairs, options.workers)
    done.log()
    return 1 if done.failed else 0
