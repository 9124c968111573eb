"""Answers on standard output, as text, CSV or JSON."""

import csv
import json
import sys
from functools import partial
from itertools import chain

# Names of the numbers in a line.
SHORT = {
    "probability": "p",
    "false_alarm_probability": "false alarm",
    "log10_likelihood_ratio": "log10 LR",
}


def show(text, keep=""):
    """Return text without control characters, which a terminal would obey."""
    return "".join(c if c.isprintable() or c in keep else ascii(c)[1:-1] for c in text)


def print_answers(answers, files, sources, kind):
    """Print answers as they come, or JSON at their end.

    Parameters
    ----------
    answers : iterable of dict
        Answers of `attribute_files`.
    files : list of str
        Their files.
    sources : list of str
        Names that they may give.
    kind : {"text", "csv", "json"}
        Format: a line for each file, a table with a header, or a list of objects.

    Returns
    -------
    n_bad : int
        Number of files without an answer.
    """
    n_bad, kept = 0, []
    head, answers = _peek(answers)
    write = kept.append
    if kind == "csv":
        write = _make_table(head[-1])
    elif kind == "text":
        widths = [max(len(show(name)) for name in names) for names in (files, sources)]
        write = partial(_print_line, widths)
    for answer in answers:
        n_bad += bool(answer["error"])
        write(answer)
        sys.stdout.flush()
    if kind == "json":
        print(json.dumps(kept, indent=1))
    return n_bad


def _peek(answers):
    """Return answers up to the first without an error, and all answers again."""
    head, answers = [], iter(answers)
    for answer in answers:
        head.append(answer)
        if not answer["error"]:
            break
    return head, chain(head, answers)


def _make_table(example):
    """Print the columns of an answer, and return a function that prints a row."""
    last = ["warnings", "error"]
    columns = [name for name in example if name not in last] + last
    table = csv.DictWriter(sys.stdout, columns, lineterminator="\n")
    table.writeheader()
    return lambda answer: table.writerow(
        answer | {"warnings": "; ".join(answer["warnings"])}
    )


def _print_line(widths, answer):
    """Print the line of an answer."""
    file = show(answer["file"]).ljust(widths[0])
    if answer["error"]:
        print(f"{file}  error: {show(answer['error'])}")
        return
    parts = [file, show(answer["name"]).ljust(widths[1]), *describe_numbers(answer)]
    if answer["name"] != answer["likeliest"]:
        parts.append(f"likeliest {show(answer['likeliest'])}")
    parts += [f"warning: {show(text)}" for text in answer["warnings"]]
    print("  ".join(parts))


def describe_numbers(answer, names=SHORT):
    """Return the numbers of an answer, each with its name."""
    return [f"{names[key]} {spell(answer[key])}" for key in names if key in answer]


def spell(number):
    """Return a number for readers; "-" if there is none."""
    return "-" if number is None else f"{number:.4f}"
