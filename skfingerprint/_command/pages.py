"""Reports on answers as one page of HTML, which asks no other file for anything."""

import base64
import io
import platform
from datetime import datetime
from html import escape
from pathlib import Path

import numpy as np

from skfingerprint._command.rates import is_quick
from skfingerprint._command.tables import (
    count_kinds,
    describe_numbers,
    show,
    summarize,
)
from skfingerprint._core import find_version
from skfingerprint._images import read_image, without_bomb_warnings

# Longest side of a thumbnail, in pixels.
SIDE = 192
# Names of the numbers of an answer.
LONG = {
    "probability": "probability among the known sources",
    "false_alarm_probability": "false-alarm probability",
    "log10_likelihood_ratio": "log10 of the likelihood ratio",
}
PACKAGES = ("numpy", "scipy", "scikit-learn", "Pillow", "numba")
STYLE = """
:root { color-scheme: light dark; --line: #ccc; --soft: #555; --warn: #8a4b00;
  --bad: #a40000; --card: #f6f6f6; }
@media (prefers-color-scheme: dark) { :root { --line: #555; --soft: #bbb;
  --warn: #ffb454; --bad: #ff8a80; --card: #222; } }
body { font: 16px/1.45 system-ui, sans-serif; margin: 0 auto; max-width: 72rem;
  padding: 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; }
.cards { display: grid; gap: .75rem; list-style: none; padding: 0;
  grid-template-columns: repeat(auto-fill, minmax(min(20rem, 100%), 1fr)); }
.cards li { background: var(--card); border: 1px solid var(--line);
  border-radius: .4rem; display: flex; gap: .75rem; padding: .75rem; min-width: 0; }
.cards li > div { min-width: 0; flex: 1; }
.cards img { width: 6rem; height: 6rem; object-fit: contain; flex: none; }
.cards p { margin: 0; } .name { font-weight: 600; font-size: 1.1rem; }
.file, .numbers { color: var(--soft); font-size: .875rem; }
.warning { color: var(--warn); font-size: .875rem; } .error { color: var(--bad); }
table { border-collapse: collapse; } th { text-align: left; vertical-align: top;
  padding: .2rem 1rem .2rem 0; font-weight: 600; overflow-wrap: normal; }
td { padding: .2rem 0; }
"""
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>Attribution report</title>
<style>{style}</style>
</head>
<body>
<h1>Attribution report</h1>
<p>{summary}.</p>
<h2>How to read it</h2>
<p>The name is a source that the model was fitted on, or "unknown". The probability is
that of the likeliest source, given that the image comes from one of the fitted sources:
it may be high for an image from elsewhere. The false-alarm probability is the share of
images of unknown sources that score as high. The likelihood ratio says how much more
probable the score is if the likeliest source made the image than if anything else did;
it is a logarithm to base 10, so that 2 is a hundred times. Its values have a ceiling,
which depends on the number of images that the model was fitted on: many answers at one
largest value mean "at least this", and say nothing of how much more. An attribution is
evidence to be weighed with other evidence, not proof.</p>
<h2>Files</h2>
<ul class="cards">
{cards}
</ul>
{unread}<h2>Model and versions</h2>
<table>
{rows}
</table>
</body>
</html>
"""
UNREAD = """<h2>Files that were not read</h2>
<ul>
{}
</ul>
"""


def write_page(path, answers, model):
    """Write a report on answers.

    Parameters
    ----------
    path : str
        File to write.
    answers : list of dict
        Answers of `attribute_files`.
    model : Model
        The model that gave them.
    """
    now = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z")
    rows = {"Date of the run": now, **_describe_model(model), **_list_versions()}
    unread = [answer for answer in answers if answer["error"]]
    read = [answer for answer in answers if not answer["error"]]
    page = PAGE.format(
        style=STYLE,
        summary=summarize(count_kinds(answers)),
        cards="\n".join(map(_make_card, read)),
        unread=UNREAD.format("\n".join(map(_list_unread, unread))) if unread else "",
        rows="\n".join(
            f'<tr><th scope="row">{_safe(name)}</th><td>{_safe(value)}</td></tr>'
            for name, value in rows.items()
        ),
    )
    Path(path).write_text(page, encoding="utf-8", errors="backslashreplace")


def _safe(text):
    """Return text without control characters and markup."""
    return escape(show(str(text)))


def _list_unread(answer):
    """Return the item of a file that could not be read."""
    file, error = _safe(answer["file"]), _safe(answer["error"])
    return (
        f'<li><span class="file">{file}</span> <span class="error">{error}</span></li>'
    )


def _make_card(answer):
    """Return the item of one file."""
    file = f'<p class="file">{_safe(answer["file"])}</p>'
    parts = [f'<p class="name">{_safe(answer["name"])}</p>', file]
    if answer["name"] != answer["likeliest"]:
        likeliest = f"likeliest known source: {answer['likeliest']}"
        parts.append(f'<p class="numbers">{_safe(likeliest)}</p>')
    parts += [
        f'<p class="numbers">{_safe(t)}</p>' for t in describe_numbers(answer, LONG)
    ]
    parts += [f'<p class="warning">{_safe(t)}</p>' for t in answer["warnings"]]
    return f"<li>{_draw_thumbnail(answer['file'])}<div>{''.join(parts)}</div></li>"


def _draw_thumbnail(file):
    """Return a small copy of an image as part of the page."""
    from PIL import Image

    with without_bomb_warnings():
        picture = Image.fromarray(read_image(file))
    picture.thumbnail((SIDE, SIDE))
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=85)
    content = base64.b64encode(stream.getvalue()).decode()
    return f'<img alt="" src="data:image/jpeg;base64,{content}">'


def _describe_model(model):
    """Return the file of a model, its sources and its rates."""
    rows = {
        "Model": model.path,
        "SHA-256 of the model": model.checksum,
        "Sources": ", ".join(map(str, model.estimator.classes_)),
        "Fitted on": "unprocessed images only (quickly): processed files, such as JPEG "
        "files, are judged badly"
        if is_quick(model.estimator)
        else "unprocessed images and processed copies",
    }
    detector = getattr(model.estimator[-1], "detector_", None)
    if detector is None:
        return rows | {"False-alarm rate": "none stated: each file is named"}
    if hasattr(detector, "false_alarm_rate"):
        rows["Stated false-alarm rate"] = f"{detector.false_alarm_rate}"
    if hasattr(detector, "detection_rate_by_condition_"):
        rates = detector.detection_rate_by_condition_
        rows["Detection rate of held-out images"] = (
            f"{detector.detection_rate_:.1%} of unprocessed ones, {np.min(rates):.1%} "
            f"in the worst of {len(rates)} condition(s)"
        )
    return rows


def _list_versions():
    """Return the versions of the packages that compute answers."""
    import skfingerprint

    own = {"skfingerprint": skfingerprint.__version__}
    versions = {name: find_version(name) for name in PACKAGES}
    return {**own, "python": platform.python_version(), **versions}
