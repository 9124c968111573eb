"""Arguments of the command line, and its exit codes."""

import argparse
import io
import os
import re
import sys
from contextlib import redirect_stdout

from skfingerprint._command.answers import attribute_files, list_files
from skfingerprint._command.messages import put_in_words, tell, warn_briefly
from skfingerprint._command.models import (
    MODEL_SUFFIX,
    fit_folder,
    load_model,
    save_model,
)
from skfingerprint._command.outputs import check_output, read_output
from skfingerprint._command.pages import write_page
from skfingerprint._command.rates import describe_rates
from skfingerprint._command.tables import count_kinds, print_answers, show, summarize
from skfingerprint.datasets import describe_image_folder
from skfingerprint.plotting import ContributionDisplay

DONE, PARTLY, MISUSED, FAILED, INTERRUPTED = 0, 1, 2, 3, 130
CODES = """exit codes:
  0    everything was done
  1    some files could not be read; each has its line, and the others were done
  2    the arguments are not valid, or an output would replace an input
  3    nothing was done, as no file could be read; the last line on standard error
       says why
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
        with warn_briefly():
            code = given.run(given)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except argparse.ArgumentError as error:
        tell("error:", str(error))
        return MISUSED
    except (ImportError, OSError, ValueError) as error:
        tell("error:", str(error))
        return FAILED
    except KeyboardInterrupt:
        tell("interrupted")
        return INTERRUPTED
    return code


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
        "--model",
        required=True,
        type=read_output(MODEL_SUFFIX),
        metavar="FILE",
        help=f"file to write, *{MODEL_SUFFIX}",
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
    command.add_argument(
        "--scenes",
        type=_read_pattern,
        metavar="PATTERN",
        help="regular expression for the names of files without their endings: its "
        "first group, or all that it matches, names the scene, whose images are held "
        "out together",
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
        "--output",
        required=True,
        type=read_output(".png"),
        metavar="PNG",
        help="picture to write, *.png",
    )


def _add_report(command):
    _add_paths(command)
    _add_model(command)
    command.add_argument(
        "--output",
        required=True,
        type=read_output(".html"),
        metavar="HTML",
        help="page to write, *.html",
    )


def _read_rate(text):
    """Return a false-alarm rate, also of a percentage; argparse shows the error."""
    try:
        rate = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        rate = 0
    if not 0 < rate <= 0.5:
        raise argparse.ArgumentTypeError(
            f"must be a number in (0, 0.5] such as 0.01 or 1%, got {text}"
        )
    return rate


def _read_pattern(text):
    """Return a compiled regular expression; argparse shows the error."""
    try:
        return re.compile(text)
    except re.error as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no regular expression: {error}"
        ) from error


def _describe(given):
    description = describe_image_folder(given.folder)
    print(show(put_in_words(str(description)), keep="\n"))
    return PARTLY if any(description.files["error"]) else DONE


def _fit(given):
    # An earlier model in the folder is no image, and may be replaced.
    files = list_files([given.folder])
    check_output(
        given.model, [f for f in files if not f.lower().endswith(MODEL_SUFFIX)]
    )
    with redirect_stdout(sys.stderr):  # lines of progress
        model, counts, bad = fit_folder(
            given.folder,
            false_alarm_rate=given.false_alarm_rate,
            background=given.background,
            perturbations=() if given.quick else "common",
            scenes=given.scenes,
        )
    checksum = save_model(model, given.model)
    for name, count in counts.items():
        print(f"{show(name)}: {count} images")
    print("\n".join(describe_rates(model)))
    print(f"{show(given.model)}: SHA-256 {checksum}")
    return PARTLY if bad else DONE


def _attribute(given):
    model = load_model(given.model, given.trust).estimator
    files = list_files(given.paths)
    # Lines on a terminal are progress enough.
    verbose = given.kind == "json" or not sys.stdout.isatty()
    answers = attribute_files(model, files, verbose=verbose)
    sources = [*map(str, model.classes_), "unknown"]
    counts = print_answers(answers, files, sources, given.kind)
    tell(summarize(counts))
    return _judge(counts)


def _judge(counts):
    """Return the exit code for the numbers of files by kind of answer."""
    n_bad = counts["not read"]
    if n_bad == counts.total():
        raise ValueError("no file could be attributed; each has the reason in its line")
    return PARTLY if n_bad else DONE


def _explain(given):
    check_output(given.output, [given.file, given.model])
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
    files = list_files(given.paths)
    check_output(given.output, [*files, given.model])
    loaded = load_model(given.model, given.trust)
    answers = list(attribute_files(loaded.estimator, files, verbose=True))
    counts = count_kinds(answers)
    code = _judge(counts)
    write_page(given.output, answers, loaded)
    print(f"{show(given.output)}: {summarize(counts)}")
    return code
