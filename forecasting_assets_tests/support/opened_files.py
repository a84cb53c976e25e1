"""A local file system that remembers which files were opened."""

from pyarrow import fs


class OpenedFiles(fs.FileSystemHandler):
    """Read local files, and keep the path of each open in `paths`; use it as `pyarrow.fs.PyFileSystem(handler)`."""

    def __init__(self) -> None:
        self.local = fs.LocalFileSystem()
        self.paths: list[str] = []

    def __eq__(self, other: object) -> bool:
        """Compare by identity."""
        return self is other

    def __hash__(self) -> int:
        """Hash by identity."""
        return id(self)

    def open_input_file(self, path):
        """Open a file for random access, and remember it."""
        self.paths.append(path)
        return self.local.open_input_file(path)

    def open_input_stream(self, path):
        """Open a file for reading from its start, and remember it."""
        self.paths.append(path)
        return self.local.open_input_stream(path)

    def get_type_name(self):
        """Return the name of this kind of file system."""
        return "counted"

    def normalize_path(self, path):
        """Normalize a path as the local file system does."""
        return self.local.normalize_path(path)

    def get_file_info(self, paths):
        """Describe files."""
        return self.local.get_file_info(paths)

    def get_file_info_selector(self, selector):
        """Describe the files of a folder."""
        return self.local.get_file_info(selector)

    def _read_only(self, *_):
        raise NotImplementedError("order files are only read")

    copy_file = create_dir = delete_dir = delete_dir_contents = delete_file = delete_root_dir_contents = (
        _read_only
    )
    move = open_append_stream = open_output_stream = _read_only
