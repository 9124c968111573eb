"""Answers on standard output, as text, CSV or JSON."""

import csv
import json
import sys
from collections import Counter
from functools import partial

# Names of the numbers in a line.
SHORT = {
    "probability": "p",
    "false_alarm_probability": "false alarm",
    "log10_likelihood_ratio": "log10 LR",
}
# Kinds of answers.
KINDS = ("named", "unknown", "not read")
# The answer for a file before it is read, in the order of the columns.
EMPTY = {
    "file": "",
    "name": "",
    "likeliest": "",
    "probability": None,
    "false_alarm_probability": None,
    "log10_likelihood_ratio": None,
    "warnings": [],
    "error": "",
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
    counts : Counter
        Number of files by kind of answer: see :func:`count_kinds`.
    """
    kept = []
    write = kept.append
    if kind == "csv":
        write = _make_table()
    elif kind == "text":
        widths = [max(len(show(name)) for name in names) for names in (files, sources)]
        write = partial(_print_line, widths)
    counts = Counter()
    for answer in answers:
        counts += count_kinds([answer])
        write(answer)
        sys.stdout.flush()
    if kind == "json":
        print(json.dumps(kept, indent=1))
    return counts


def count_kinds(answers):
    """Count the answers that are "named", "unknown" and "not read"."""
    return Counter(
        KINDS[2] if answer["error"] else KINDS[answer["name"] == "unknown"]
        for answer in answers
    )


def summarize(counts):
    """Return the numbers of files by kind of answer."""
    kinds = ", ".join(f"{counts[kind]} {kind}" for kind in KINDS)
    total = counts.total()
    return f"{total} {'file' if total == 1 else 'files'}: {kinds}"


def _make_table():
    """Print the names of the columns, and return a function that prints a row."""
    table = csv.DictWriter(sys.stdout, list(EMPTY), lineterminator="\n")
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
