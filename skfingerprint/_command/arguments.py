"""Arguments of the command line, and its exit codes."""

import argparse
import io
import os
import sys
import warnings
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

from skfingerprint._command.answers import attribute_files, list_files
from skfingerprint._command.models import fit_folder, load_model, save_model
from skfingerprint._command.pages import write_page
from skfingerprint._command.tables import print_answers, show
from skfingerprint.datasets import describe_image_folder
from skfingerprint.plotting import ContributionDisplay

DONE, PARTLY, MISUSED, FAILED, INTERRUPTED = 0, 1, 2, 3, 130
CODES = """exit codes:
  0    everything was done
  1    some files could not be read; each has its line, and the others were done
  2    the arguments are not valid
  3    nothing was done; the last line on standard error says why
  130  the run was interrupted
"""


def main(arguments=None):
    """Run a command, and return its exit code.

    Parameters
    ----------
    arguments : list of str, default=None
        Arguments behind the name of the program; by default those of the process.

    Returns
    -------
    code : int
        0 if everything was done, 1 if some files could not be read, 2 if the arguments
        are not valid, 3 if nothing was done, 130 after an interrupt.
    """
    for stream in (sys.stdout, sys.stderr):
        # Names of files and sources need not be text in the encoding of a terminal.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        given = _make_parser().parse_args(arguments)
    except SystemExit as stop:
        return stop.code
    try:
        with _warn_briefly():
            code = given.run(given)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except (ImportError, OSError, ValueError) as error:
        print("error:", show(str(error), keep="\n"), file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    return code


@contextmanager
def _warn_briefly():
    """Show warnings for users on standard error, without lines of source code."""

    def show_warning(message, *_):
        print("warning:", show(str(message), keep="\n"), file=sys.stderr, flush=True)

    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = show_warning
        yield


def _make_parser():
    """Make the parser of all commands."""
    import skfingerprint

    options = {
        "formatter_class": argparse.RawDescriptionHelpFormatter,
        "epilog": CODES,
        "allow_abbrev": False,
    }
    parser = argparse.ArgumentParser(
        prog="skfingerprint",
        description="Which generator or camera made an image?",
        **options,
    )
    version = f"skfingerprint {skfingerprint.__version__}"
    parser.add_argument("--version", action="version", version=version)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, add_arguments, run, summary in (
        ("describe", _add_folder, _describe, "report how the files of classes differ"),
        ("fit", _add_fit, _fit, "fit a model on a folder, and save it"),
        ("attribute", _add_attribute, _attribute, "name the source of each file"),
        ("explain", _add_explain, _explain, "draw why a file is attributed so"),
        ("report", _add_report, _report, "attribute files on one HTML page"),
    ):
        command = commands.add_parser(
            name, help=summary, description=summary, **options
        )
        command.set_defaults(run=run)
        add_arguments(command)
    return parser


def _add_folder(command):
    command.add_argument(
        "folder", metavar="FOLDER", help="folder with one folder of images a source"
    )


def _add_fit(command):
    _add_folder(command)
    command.add_argument(
        "--model", required=True, metavar="FILE", help="file to write, *.skops"
    )
    command.add_argument(
        "--false-alarm-rate",
        type=_read_rate,
        default=0.01,
        metavar="RATE",
        help="share of images of unknown sources that may be named (default 0.01)",
    )
    command.add_argument(
        "--background",
        metavar="NAME",
        help="folder of images without a common source, such as photographs",
    )
    command.add_argument(
        "--quick",
        action="store_true",
        help="learn from unprocessed images alone: not for images from the web",
    )


def _add_model(command):
    command.add_argument(
        "--model", required=True, metavar="FILE", help="model of the command fit"
    )
    command.add_argument(
        "--trust",
        action="append",
        default=[],
        metavar="TYPE",
        help="type that the model may hold beside those of `fit`; may be repeated",
    )


def _add_paths(command):
    command.add_argument(
        "paths",
        nargs="+",
        metavar="FILE_OR_FOLDER",
        help="image, or folder whose files are attributed, those in folders inside too",
    )


def _add_attribute(command):
    _add_paths(command)
    _add_model(command)
    kinds = command.add_mutually_exclusive_group()
    for kind, text in (("csv", "a table with a header"), ("json", "a list of objects")):
        kinds.add_argument(
            f"--{kind}",
            action="store_const",
            const=kind,
            dest="kind",
            help=f"write {text}",
        )
    command.set_defaults(kind="text")


def _add_explain(command):
    command.add_argument("file", metavar="FILE", help="image")
    _add_model(command)
    command.add_argument(
        "--output", required=True, metavar="PNG", help="picture to write"
    )


def _add_report(command):
    _add_paths(command)
    _add_model(command)
    command.add_argument(
        "--output", required=True, metavar="HTML", help="page to write"
    )


def _read_rate(text):
    """Return a false-alarm rate; argparse shows the error."""
    rate = float(text)
    if not 0 < rate <= 0.5:
        raise argparse.ArgumentTypeError(f"must lie in (0, 0.5], got {text}")
    return rate


def _describe(given):
    description = describe_image_folder(given.folder)
    print(show(str(description), keep="\n"))
    return PARTLY if any(description.files["error"]) else DONE


def _fit(given):
    if not Path(given.model).resolve().parent.is_dir():
        raise ValueError(f"{given.model}: its folder does not exist.")
    with redirect_stdout(sys.stderr):  # lines of progress
        model, counts, bad = fit_folder(
            given.folder,
            false_alarm_rate=given.false_alarm_rate,
            background=given.background,
            perturbations=() if given.quick else "common",
        )
    checksum = save_model(model, given.model)
    for name, count in counts.items():
        print(f"{show(name)}: {count} images")
    detector = model[-1].detector_
    print(
        f"at a false-alarm rate of {given.false_alarm_rate:g}, "
        f"{detector.detection_rate_:.1%} of held-out unprocessed images of these "
        "sources are named"
    )
    print(f"{show(given.model)}: SHA-256 {checksum}")
    return PARTLY if bad else DONE


def _attribute(given):
    model = load_model(given.model, given.trust).estimator
    files = list_files(given.paths)
    # Lines on a terminal are progress enough.
    verbose = given.kind == "json" or not sys.stdout.isatty()
    answers = attribute_files(model, files, verbose=verbose)
    sources = [*map(str, model.classes_), "unknown"]
    n_bad = print_answers(answers, files, sources, given.kind)
    return PARTLY if n_bad else DONE


def _explain(given):
    model = load_model(given.model, given.trust).estimator
    (answer,) = attribute_files(model, [given.file])
    if answer["error"]:
        raise ValueError(f"{given.file}: {answer['error']}")
    display = ContributionDisplay.from_estimator(model, [given.file])
    display.figure_.savefig(given.output, format="png", dpi=150)
    print(f"{show(given.file)}: {show(answer['name'])}. {show(display.title)}:")
    ranked = sorted(display.families.items(), key=lambda item: -abs(item[1]))
    for family, value in ranked:
        print(f"{value:+8.2f}  {family}")
    return DONE


def _report(given):
    loaded = load_model(given.model, given.trust)
    files = list_files(given.paths)
    answers = list(attribute_files(loaded.estimator, files, verbose=True))
    write_page(given.output, answers, loaded)
    n_bad = sum(bool(answer["error"]) for answer in answers)
    print(f"{show(given.output)}: {len(files) - n_bad} of {len(files)} files")
    return PARTLY if n_bad else DONE
