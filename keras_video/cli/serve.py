r"""Opens a page on which a video is uploaded and classified.

    keras-video serve --row tsn_r50_1x1x8_100e_kinetics400_rgb
    keras-video serve --model work_dirs/run/model.keras --port 7000

The page is shown to this machine alone; `--host 0.0.0.0` shows it to everybody who reaches the
machine. Programs call it under the name "classify" of gradio's client.
"""

from keras_video.cli.models import chosen_model, define_model_flags
from keras_video.inference.uploads import upload_page

INTERRUPTED = ""


def define(flags):
    define_model_flags(flags)
    flags.group("Scores")
    flags.integer("top", 5, "classes to show", 1)
    flags.integers("views", "clips x crops, as 10x3; else one clip cropped in the middle", 2, "x")
    flags.group("The page")
    flags.string("host", "127.0.0.1", "address to listen at; 0.0.0.0 for all")
    flags.integer("port", 7860, "where to listen", 1, 65535)
    flags.switch("browser", True, "open the page in a browser")


def run(options, _):
    page = upload_page(chosen_model(options), options.top, tuple(options.views or (1, 1)))
    page.launch(
        server_name=options.host, server_port=options.port, inbrowser=options.browser, share=False
    )
