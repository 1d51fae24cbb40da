"""A file system like that of an object store, on this machine: loopback:///folder/a.mp4."""

import fsspec
from fsspec.implementations.dirfs import DirFileSystem


class Loopback(DirFileSystem):
    """Addresses such as loopback:///tmp/folder/a.mp4 for files of this machine."""

    protocol = "loopback"

    def __init__(self, **options):
        super().__init__(path="/", fs=fsspec.filesystem("file"), **options)

    @classmethod
    def _strip_protocol(cls, path):
        return str(path).removeprefix("loopback://").rstrip("/")

    def unstrip_protocol(self, name):
        return f"loopback://{name}"


fsspec.register_implementation("loopback", Loopback, clobber=True)
