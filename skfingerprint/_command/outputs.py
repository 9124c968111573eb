"""Files that commands write: of a stated type, and none of the files that they read."""

import argparse
from pathlib import Path


def read_output(suffix):
    """Make a function that reads the path of an output; argparse shows its errors."""

    def read(text):
        path = Path(text)
        if path.suffix.lower() != suffix:
            raise argparse.ArgumentTypeError(
                f"{text!r} must end with {suffix}, such as {path.stem or 'x'}{suffix}"
            )
        if path.is_dir():
            raise argparse.ArgumentTypeError(f"{text!r} is a folder: name a file in it")
        if not path.resolve().parent.is_dir():
            raise argparse.ArgumentTypeError(
                f"the folder of {text!r} does not exist: make it first"
            )
        return text

    return read


def check_output(output, inputs):
    """Raise ArgumentError if an output would replace an input, by any of its paths."""
    path = Path(output)
    for file in map(Path, inputs):
        if path.exists() and file.exists() and path.samefile(file):
            raise argparse.ArgumentError(
                None,
                f"{output} is one of the files to read ({file}), and would be "
                "replaced: write to another file.",
            )
