"""`python -m keras_video` runs the command `keras-video`."""

import sys

from keras_video.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
