"""Answers of a model for files, of which any may be bad."""

import sys
import warnings
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np

from skfingerprint._attribution import PAST
from skfingerprint._command.messages import put_in_words
from skfingerprint._command.rates import is_quick
from skfingerprint._command.tables import EMPTY, SHORT
from skfingerprint._core import make_report
from skfingerprint._images import read_header, read_image, without_bomb_warnings
from skfingerprint.metrics import jpeg_history


def list_files(paths):
    """List the given files, and all files inside of the given folders.

    Hidden files and folders are left out, and so is a second mention of a file.

    Parameters
    ----------
    paths : list of str
        Files and folders.

    Returns
    -------
    files : list of str
        Files in the given order, those of a folder sorted.

    Raises
    ------
    ValueError
        If there is no file.
    """
    files = {}
    for path in map(Path, paths):
        files |= dict.fromkeys(_list_folder(path) if path.is_dir() else [path])
    if not files:
        raise ValueError(f"{', '.join(paths)}: no file is inside.")
    return list(map(str, files))


def _list_folder(folder):
    """List the files inside of a folder and of the folders in it, sorted."""
    files = (path for path in sorted(folder.rglob("*")) if not path.is_dir())
    return [path for path in files if not _is_hidden(path.relative_to(folder))]


def _is_hidden(path):
    return any(part.startswith(".") for part in path.parts)


def attribute_files(model, files, *, verbose=False):
    """Attribute files one by one, so that a bad one stops no other.

    Parameters
    ----------
    model : estimator
        Fitted pipeline that takes paths.
    files : list of str
        Paths of the files.
    verbose : bool, default=False
        Whether to report the progress on standard error.

    Yields
    ------
    answer : dict
        `file`; `name`, the source or "unknown"; `likeliest`, the likeliest known
        source; its `probability`, `false_alarm_probability` and
        `log10_likelihood_ratio`, None if there is none; `warnings`, a list of str; and
        `error`, the reason why there is no answer, or "".
    """
    report = make_report("files", len(files), verbose and len(files) > 1)
    for number, file in enumerate(files, start=1):
        with redirect_stdout(sys.stderr):  # lines of progress
            answer = EMPTY | {"file": file, "warnings": []}
            try:
                answer |= _attribute(model, file)
            except ValueError as error:
                answer["error"] = put_in_words(str(error).removeprefix(f"{file}: "))
            report(number)
        yield answer


def _attribute(model, file):
    """Attribute one file.

    Warnings of its decoder and of the model become warnings of its answer.
    """
    with warnings.catch_warnings(record=True) as caught, without_bomb_warnings():
        warnings.simplefilter("always", UserWarning)
        image, header = read_image(file), read_header(file)
        answer = _ask(model, file)
    texts = [str(w.message) for w in caught if issubclass(w.category, UserWarning)]
    texts += _judge_compression(model, header) + _judge_history(image, header)
    return answer | {"warnings": [put_in_words(text) for text in texts]}


def _ask(model, file):
    """Return name, likeliest source and numbers of a file."""
    if not hasattr(model, "assess"):
        shares = model.predict_proba([file])[0]
        name = str(model.classes_[shares.argmax()])
        return {"name": name, "likeliest": name, "probability": float(shares.max())}
    found = {key: value[0] for key, value in model.assess([file]).items()}
    source = str(found["source"])
    name = source if found["known"] else "unknown"
    numbers = {key: float(found[key]) for key in SHORT if key in found}
    numbers = {key: None if np.isnan(n) else n for key, n in numbers.items()}
    return {"name": name, "likeliest": source, **numbers}


def _judge_compression(model, header):
    """Return a warning if a file is lossy, and the model has learned no compression."""
    if header.compression != "lossy" or not is_quick(model):
        return []
    return [
        f"a {header.format} file, and the model was fitted on unprocessed images: fit "
        "without --quick, unless these were such files"
    ]


def _judge_history(image, header):
    """Return a warning if pixels show a compression that their file does not."""
    score = jpeg_history(image[np.newaxis])[0]
    if header.format == "JPEG" or not score > PAST:
        return []
    return [
        f"the pixels were a JPEG file once (score {score:.1f}), and the file is "
        f"{header.format}"
    ]
