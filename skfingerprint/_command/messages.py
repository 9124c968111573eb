"""Errors and warnings in the words of the command line, on lines of their own."""

import re
import sys
import warnings
from contextlib import contextmanager

from skfingerprint._command.tables import show
from skfingerprint._core import clear_bars

# Sentences for users of Python, and what they are at the command line.
WORDS = {
    r"X has blocks of \(.*?\) pixels, but \w+ was fitted with \((\d+), (\d+)\).*": (
        r"it is smaller than \1x\2 pixels, the blocks of this model: take larger images"
    ),
    r"estimator (must end|ends) with an? \w+.*": (
        "the command explain takes only models that the command fit wrote"
    ),
    r"Train with JPEG compression among the perturbations, .*?, or save all": (
        "Fit without --quick, or save all"
    ),
    r'; history="warn" fits nevertheless': "",
    r"detection_rate_ is": "the share of held-out images that are named is",
    r"a higher false_alarm_rate": "a higher --false-alarm-rate",
    r"pixels: no image_shape is needed": "pixels",
    r"image_shape=\((\d+), (\d+)\)": r"\1x\2",
    r"\((\d+), (\d+)\) that of": r"\1x\2 that of",
}


def put_in_words(text):
    """Return a message with the remedies of the command line in place of Python's."""
    for pattern, words in WORDS.items():
        text = re.sub(pattern, words, text, flags=re.DOTALL)
    return text


def tell(kind, text="", *, is_last=True):
    """Print a message on standard error, on a line without a bar.

    Parameters
    ----------
    kind : str
        What the line begins with.
    text : str, default=""
        The message.
    is_last : bool, default=True
        Whether the run ends, and its bars with it.
    """
    clear_bars(close=is_last)
    line = f"{kind} {show(put_in_words(text), keep=chr(10))}".rstrip()
    print(line, file=sys.stderr, flush=True)


@contextmanager
def warn_briefly():
    """Show warnings for users on standard error, without lines of source code."""

    def show_warning(message, *_):
        tell("warning:", str(message), is_last=False)

    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = show_warning
        yield
