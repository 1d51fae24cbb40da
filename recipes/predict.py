"""`keras-video predict`, from a checkout: `python recipes/predict.py --help`."""

import sys

from keras_video.cli.main import main

sys.exit(main(["predict", *sys.argv[1:]]))
