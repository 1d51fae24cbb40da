"""`python -m keras_video` is the command `keras-video`."""

import sys

from keras_video.cli.main import main

sys.exit(main())
