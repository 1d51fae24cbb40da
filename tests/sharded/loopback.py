"""A local file system that behaves like an object store: loopback:///folder/a.mp4."""

import fsspec
from fsspec.implementations.dirfs import DirFileSystem


class Loopback(DirFileSystem):
    """URLs such as loopback:///tmp/folder/a.mp4 for local files."""

    protocol = "loopback"

    def __init__(self, **options):
        super().__init__(path="/", fs=fsspec.filesystem("file"), **options)

    @classmethod
    def _strip_protocol(cls, path):
        return str(path).removeprefix("loopback://").rstrip("/")

    def unstrip_protocol(self, name):
        return f"loopback://{name}"


fsspec.register_implementation("loopback", Loopback, clobber=True)
