"""Writes the sound of all videos of a folder as wav files, or as spectrograms.

    python recipes/prepare_sound.py --videos videos --out sound
    python recipes/prepare_sound.py --videos videos --out features --as features

`videos/a/b.mp4` becomes `sound/a/b.wav` or `features/a/b.npy`, the log-mel features that the audio
rows are trained on. A run that was broken off goes on where it was. Videos without sound are
named; the exit status is then 1.
"""

import argparse
import functools
import sys

from absl import logging

from keras_video.data.parallel import make_files
from keras_video.data.prepare.frames import pairs_below
from keras_video.data.prepare.sound import extract_features, extract_wav
from keras_video.data.sound.sources import SOUND_SUFFIXES
from keras_video.data.sources.videos import VIDEO_SUFFIXES, files_in


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--videos", required=True, help="folder with videos or sound files")
    parser.add_argument("--out", required=True, help="folder for the new files")
    parser.add_argument("--as", dest="kind", choices=("wav", "features"), default="wav")
    parser.add_argument("--sample_rate", type=int, default=16000, help="samples per second")
    parser.add_argument("--workers", type=int, help="files worked on at the same time")
    args = parser.parse_args(arguments)
    logging.set_verbosity(logging.INFO)
    extract, suffix = {"wav": (extract_wav, ".wav"), "features": (extract_features, ".npy")}[
        args.kind
    ]
    find = functools.partial(files_in, suffixes=VIDEO_SUFFIXES | SOUND_SUFFIXES)
    pairs = pairs_below(args.videos, args.out, find, suffix)
    make = functools.partial(extract, sample_rate=args.sample_rate)
    done = make_files(make, pairs, args.workers)
    done.log()
    return 1 if done.failed else 0


if __name__ == "__main__":
    sys.exit(main())
