"""Each command of the command line, by its output and exit code."""

import csv
import io
import json
import re
import subprocess
import sys
import warnings
from argparse import ArgumentTypeError
from datetime import datetime
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from skfingerprint import AugmentedPipeline
from skfingerprint._command import main
from skfingerprint._command.arguments import _read_rate
from skfingerprint._command.messages import put_in_words
from skfingerprint._command.models import load_model
from skfingerprint._command.rates import describe_rates, name_change
from skfingerprint._core import make_report
from skfingerprint.perturbation import COMMON_PERTURBATIONS


def run(capsys, *arguments):
    """Run a command, and return its exit code and what it wrote."""
    code = main([str(argument) for argument in arguments])
    return code, *capsys.readouterr()


def test_describe(capsys, folder):
    code, out, err = run(capsys, "describe", folder)
    assert (code, err) == (0, "")
    assert "All images have 32x32 pixels" in out


def test_describe_names_bad_files(capsys, folder, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "bad.png").write_bytes(b"")
    (tmp_path / "a" / "good.png").write_bytes((folder / "net-0/00.png").read_bytes())
    code, out, _ = run(capsys, "describe", tmp_path)
    assert code == 1
    assert "1 of 2 files can't be read" in out
    assert "bad.png" in out


def test_fit_prints_sources_rate_and_checksum(capsys, folder, tmp_path):
    pytest.importorskip("skops")
    from PIL import Image

    (tmp_path / "in").mkdir()
    for source in sorted(folder.iterdir()):
        (tmp_path / "in" / source.name).mkdir()
        for file in sorted(source.iterdir())[:6]:
            target = tmp_path / "in" / source.name / file.name
            target.write_bytes(file.read_bytes())
    content = target.read_bytes()
    target.write_bytes(content[: len(content) // 2])
    small = target.with_name("small.png")
    Image.new("RGB", (32, 31)).save(small)
    path = tmp_path / "m.skops"
    code, out, err = run(capsys, "fit", tmp_path / "in", "--model", path, "--quick")
    assert code == 1  # files were left out
    assert f"warning: left out: {target}" in err
    assert f"warning: left out: {small}: 31x32 pixels, smaller than 32x32" in err
    assert "net-0: 6 images\nnet-1: 6 images\nnet-2: 5 images\n" in out
    assert "at a false-alarm rate of 0.01, " in out
    loaded = load_model(path)
    assert f"SHA-256 {loaded.checksum}" in out
    assert loaded.estimator.classes_.tolist() == ["net-0", "net-1", "net-2"]
    assert loaded.estimator[-1].detector.false_alarm_rate == 0.01
    assert not list(tmp_path.glob(".skfingerprint*"))


def test_attribute_is_thin_over_the_estimator(capsys, folder, model):
    files = sorted(folder.rglob("*.png"))
    estimator = load_model(model).estimator
    expected = estimator.predict(files)
    report = estimator.assess(files)
    assert np.mean(expected == [file.parent.name for file in files]) > 0.8
    code, out, _ = run(capsys, "attribute", folder, "--model", model, "--json")
    answers = json.loads(out)
    assert code == 0
    assert [answer["file"] for answer in answers] == list(map(str, files))
    assert [answer["name"] for answer in answers] == expected.tolist()
    assert [answer["likeliest"] for answer in answers] == report.source.tolist()
    for name in ("probability", "false_alarm_probability"):
        found = [answer[name] for answer in answers]
        np.testing.assert_allclose(found, report[name], rtol=1e-4)
    ratios = ["log10_likelihood_ratio" in answer for answer in answers]
    assert set(ratios) == {"log10_likelihood_ratio" in report}


@pytest.mark.parametrize("kind", ["text", "csv", "json"])
def test_every_file_is_accounted_for(capsys, mixed, model, kind):
    mixed, bad = mixed
    options = [] if kind == "text" else [f"--{kind}"]
    code, out, err = run(capsys, "attribute", mixed, "--model", model, *options)
    assert code == 1
    assert "Traceback" not in err
    files = {str(f) for f in mixed.rglob("*") if f.is_file() and f.name[0] != "."}
    if kind == "text":
        lines = out.splitlines()
        assert len(lines) == len(files) == 20
        wrong = {
            line.split("  error: ")[0].rstrip() for line in lines if "  error: " in line
        }
        assert wrong == bad
        return
    rows = json.loads(out) if kind == "json" else list(csv.DictReader(io.StringIO(out)))
    assert sorted(row["file"] for row in rows) == sorted(files)
    assert {row["file"] for row in rows if row["error"]} == bad
    assert all(bool(row["name"]) != bool(row["error"]) for row in rows)


def test_names_of_files_are_escaped(capsys, folder, model, tmp_path):
    content = (folder / "net-0" / "00.png").read_bytes()
    names = ["two\nlines.png", "\x1b[31mred.png", 'comma, and "quote".png']
    for name in names:
        (tmp_path / name).write_bytes(content)
    code, out, _ = run(capsys, "attribute", tmp_path, "--model", model)
    assert code == 0
    assert len(out.splitlines()) == 3
    assert "\x1b" not in out
    _, out, _ = run(capsys, "attribute", tmp_path, "--model", model, "--csv")
    rows = list(csv.DictReader(io.StringIO(out, newline="")))
    assert sorted(row["file"] for row in rows) == sorted(
        str(tmp_path / n) for n in names
    )


def test_an_earlier_jpeg_compression_is_a_warning(capsys, model, tmp_path):
    from PIL import Image

    from skfingerprint.datasets import load_generators

    first = tmp_path / "first.jpg"
    Image.fromarray(load_generators().images[0]).save(first, quality=75)
    Image.open(first).save(tmp_path / "again.png")
    _, out, _ = run(capsys, "attribute", tmp_path, "--model", model, "--json")
    again, first = json.loads(out)
    assert "were a JPEG file once" in again["warnings"][0]
    # The fixture is a quick model.
    (warning,) = first["warnings"]
    assert warning.startswith("a JPEG file, and the model was fitted on unprocessed")
    assert "without --quick" in warning


def test_explain(capsys, folder, model, tmp_path):
    pytest.importorskip("matplotlib")
    import matplotlib.pyplot as plt
    from PIL import Image

    file, output = folder / "net-1" / "01.png", tmp_path / "why.png"
    code, out, _ = run(capsys, "explain", file, "--model", model, "--output", output)
    plt.close("all")
    assert code == 0
    assert re.search(r" rather than net-\d", out)
    assert len(out.splitlines()) > 5
    with Image.open(output) as picture:
        assert picture.format == "PNG"
        assert min(picture.size) > 500


def test_outputs_replace_no_inputs(capsys, folder, model, tmp_path):
    file, link = tmp_path / "in" / "a.png", tmp_path / "link.png"
    page, hard = tmp_path / "page.html", tmp_path / "in" / "a.skops"
    file.parent.mkdir()
    content = (folder / "net-0" / "00.png").read_bytes()
    file.write_bytes(content)
    link.symlink_to(file)
    page.symlink_to(file)
    hard.hardlink_to(file)
    other = file.parent / ".." / "in" / "a.png"
    with_model = ["--model", model, "--output"]
    for arguments in [
        ["explain", file, *with_model, file],
        ["explain", file, *with_model, other],
        ["explain", file, *with_model, link],
        ["report", file.parent, *with_model, page],
        ["fit", file.parent, "--model", hard],
    ]:
        code, out, err = run(capsys, *arguments)
        assert (code, out) == (2, "")
        assert "is one of the files to read" in err
        assert file.read_bytes() == content


def test_an_output_is_refused_before_the_work(capsys, tmp_path):
    (tmp_path / "m.skops").mkdir()
    for name, message in [
        ("a.png", "must end with .skops, such as a.skops"),
        ("m.skops", "is a folder"),
        ("no/m.skops", "the folder of"),
    ]:
        code, out, err = run(capsys, "fit", "none", "--model", tmp_path / name)
        assert (code, out) == (2, "")
        assert message in err


def test_an_earlier_model_may_be_replaced(capsys, folder, tmp_path):
    pytest.importorskip("skops")
    path = tmp_path / "m.skops"
    for file in folder.rglob("*.png"):
        target = tmp_path / file.relative_to(folder)
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(file.read_bytes())
    path.write_bytes(b"earlier")
    code, _, _ = run(capsys, "fit", tmp_path, "--model", path, "--quick")
    assert code == 0
    assert load_model(path).estimator.classes_.tolist() == ["net-0", "net-1", "net-2"]


def test_scenes_are_held_out_together(capsys, folder, tmp_path, monkeypatch):
    pytest.importorskip("skops")
    given, fit = {}, AugmentedPipeline.fit

    def spy(pipeline, X, y, **metadata):
        given.update(metadata, files=X)
        return fit(pipeline, X, y, **metadata)

    monkeypatch.setattr(AugmentedPipeline, "fit", spy)
    arguments = ["fit", folder, "--model", tmp_path / "m.skops", "--quick", "--scenes"]
    code, _, err = run(capsys, *arguments, r"^\d(\d)")
    assert code == 0, err
    assert given["groups"] == [Path(file).stem[1] for file in given["files"]]
    code, _, _ = run(capsys, *arguments, r"\d$")
    assert code == 0
    assert given["groups"] == [Path(file).stem[-1] for file in given["files"]]
    code, _, err = run(capsys, *arguments, "^0([0-8])")
    assert code == 3
    assert "finds no scene in the name of" in err
    assert "09.png" in err
    code, _, err = run(capsys, *arguments, "^.+?(.*).$|x")
    assert code == 3  # an empty name
    for source in folder.iterdir():
        file = tmp_path / "in" / source.name / "shared-1.png"
        file.parent.mkdir(parents=True)
        file.write_bytes((source / "00.png").read_bytes())
        (file.parent / "shared-2.png").write_bytes((source / "01.png").read_bytes())
    arguments[1] = tmp_path / "in"
    code, _, err = run(capsys, *arguments, "^[a-z]+")
    assert code == 3
    assert "class 'net-0' has 1 scene" in err


def test_rates_name_the_worst_processing():
    detector = SimpleNamespace(
        false_alarm_rate=0.01,
        detection_rate_=0.65,
        detection_rate_by_condition_=np.array([0.65, 0.4, 0.032, 0.5]),
        conditions_=np.array([0, 1, 2, 5]),
    )
    model = FakeModel([SimpleNamespace(detector_=detector)])
    model.perturbations, model.classes_ = COMMON_PERTURBATIONS, ["a", "b"]
    first, second = describe_rates(model)
    assert "rate of 0.01, 65.0% of held-out unprocessed images" in first
    assert "40.0% (median of 3 kinds of processing), and 3.2% in the worst" in second
    assert second.endswith("worst: blur (std 0.5 to 1.5)")
    names = [name_change(change) for change in COMMON_PERTURBATIONS]
    expected = "resizing (scale 0.55 to 1) and JPEG compression (quality 65 to 95)"
    assert names[0] == expected
    assert names[4] == "JPEG compression (quality 95)"
    assert all("(" in name for name in names)
    detector.detection_rate_, model.classes_ = 0.19, ["a"]
    with pytest.warns(UserWarning, match="names nearly nothing: fit more images"):
        lines = describe_rates(model)
    assert lines[-1].startswith("one source only: ")


class FakeModel(list):
    """A pipeline that is nothing but its last step."""


def test_percentages_are_rates():
    assert _read_rate("1%") == 0.01
    assert _read_rate("0.25") == 0.25
    for text in ("60%", "0", "one", "%", "nan", "1%%"):
        with pytest.raises(ArgumentTypeError, match=r"such as 0\.01 or 1%"):
            _read_rate(text)


def test_messages_have_no_words_of_python(capsys, folder, model, tmp_path):
    from PIL import Image

    small = tmp_path / "small.png"
    Image.new("RGB", (30, 30)).save(small)
    _, out, _ = run(capsys, "attribute", folder, small, "--model", model)
    assert "it is smaller than 32x32 pixels, the blocks of this model" in out
    for name, size in (("a", 40), ("b", 48)):
        (tmp_path / "in" / name).mkdir(parents=True)
        Image.new("RGB", (size, 32)).save(tmp_path / "in" / name / "0.png")
    code, out, _ = run(capsys, "describe", tmp_path / "in")
    assert code == 0
    assert "Sizes differ: 32x40 is the largest common part" in out
    past = (
        "Train with JPEG compression among the perturbations, as "
        "`make_attribution_pipeline()` does, of a quality about 75, or save all "
        'classes alike. It is so; history="warn" fits nevertheless.'
    )
    expected = "Fit without --quick, or save all classes alike. It is so."
    assert put_in_words(past) == expected


def test_reasons_are_not_glued_to_bars(capsys, monkeypatch):
    pytest.importorskip("tqdm")

    errors = [ValueError("bad"), KeyboardInterrupt()]

    def work(path):
        report = make_report("files", 5, verbose=True)
        for number in range(1, 6):
            report(number)
            warnings.warn("beware", UserWarning, stacklevel=2)
            if number == 3:
                raise errors.pop(0)

    name = "skfingerprint._command.arguments.describe_image_folder"
    monkeypatch.setattr(name, work)
    for last in ("error: bad", "interrupted"):
        _, _, err = run(capsys, "describe", "x")
        lines = err.split("\n")
        shown = [line.split("\r")[-1] for line in lines]
        assert shown[:3] == ["warning: beware"] * 3
        assert lines[-2:] == [last, ""]  # also where nobody obeys a carriage return


class Links(HTMLParser):
    """Tags, and addresses that a browser would ask for."""

    def __init__(self):
        super().__init__()
        self.tags, self.addresses = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        names = ("src", "href", "srcset", "data", "action")
        self.addresses += [value for name, value in attrs if name in names]


def test_report_is_one_page_that_asks_nobody(capsys, mixed, model, tmp_path):
    mixed, bad = mixed
    hostile = tmp_path / "<script>alert(1)<"
    hostile.mkdir()
    (hostile / "img>.png").write_bytes((mixed / "0.png").read_bytes())
    output = tmp_path / "page.html"
    code, out, _ = run(
        capsys, "report", mixed, hostile, "--model", model, "--output", output
    )
    assert code == 1
    assert re.search(r"21 files: \d+ named, \d+ unknown, 7 not read", out)
    page = output.read_text(encoding="utf-8")
    links = Links()
    links.feed(page)
    assert "script" not in links.tags
    assert "link" not in links.tags
    assert len(links.addresses) == links.tags.count("img") == 14
    assert all(address.startswith("data:image/jpeg;") for address in links.addresses)
    assert "url(" not in page
    assert "http:" not in page
    assert page.count('class="error"') == len(bad)
    parts = [page.index(f"<h2>{title}") for title in ("How", "Files<", "Files that")]
    assert parts == sorted(parts)
    assert min(page.index(escape(file)) for file in bad) > parts[-1]
    assert page.rindex("<img") < parts[-1]
    assert "ceiling" in page
    assert f"Date of the run</th><td>{datetime.now():%Y-%m-}" in page
    assert "unprocessed images only (quickly)" in page
    assert load_model(model).checksum in page
    assert "Stated false-alarm rate</th><td>0.1<" in page
    assert "prefers-color-scheme: dark" in page


def test_fitting_errors_are_one_line(capsys, folder, tmp_path):
    from PIL import Image

    pytest.importorskip("skops")
    empty, one, path = tmp_path / "empty", tmp_path / "one", tmp_path / "m.skops"
    (empty / "source").mkdir(parents=True)
    (one / "net-0").mkdir(parents=True)
    for file in (folder / "net-0").iterdir():
        (one / "net-0" / file.name).write_bytes(file.read_bytes())
    tiny = tmp_path / "tiny"
    for name in ("a", "b"):
        (tiny / name).mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(tiny / name / "0.png")
    called = tmp_path / "called"
    (called / "unknown").mkdir(parents=True)
    (called / "unknown" / "0.png").write_bytes((folder / "net-0/00.png").read_bytes())
    for arguments, message in [
        ([tmp_path / "none"], "none"),
        ([empty], "no file is inside"),
        ([tiny], "0.png: 8x8 pixels, smaller than 32x32"),
        ([folder, "--background", "photos"], "holds no folder 'photos'"),
        ([one, "--background", "net-0"], "holds no folder beside the background"),
        ([called], "a folder cannot have the name 'unknown'"),
    ]:
        code, out, err = run(capsys, "fit", *arguments, "--model", path, "--quick")
        assert (code, out) == (3, "")
        assert err.splitlines()[-1].startswith("error: ")
        assert message in err
        assert not path.exists()
    (tmp_path / "single" / "a").mkdir(parents=True)
    single = tmp_path / "single" / "a" / "0.png"
    single.write_bytes((folder / "net-0" / "00.png").read_bytes())
    code, _, err = run(capsys, "fit", single.parents[1], "--model", path, "--quick")
    assert code == 3
    assert err.splitlines()[-1].startswith("error: class 'a' has 1 image, and")


def test_one_class(capsys, folder, model, tmp_path):
    """Imitations stand for unknown sources, where there is no other source."""
    for file in (folder / "net-0").iterdir():
        (tmp_path / "in" / "net-0").mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / "net-0" / file.name).write_bytes(file.read_bytes())
    path = tmp_path / "m.skops"
    code, out, err = run(capsys, "fit", tmp_path / "in", "--model", path, "--quick")
    if code == 0:
        code, out, _ = run(capsys, "attribute", folder, "--model", path, "--json")
        assert code == 0
        assert {answer["name"] for answer in json.loads(out)} <= {"net-0", "unknown"}
    else:
        assert code == 3
        assert "1 source" in err


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["paint"],
        ["fit", "x"],
        ["fit", "x", "--model", "m", "--false-alarm-rate", "0"],
        ["fit", "x", "--model", "m", "--false-alarm-rate", "many"],
        ["attribute", "x"],
        ["attribute", "--model", "m"],
        ["attribute", "x", "--model", "m", "--csv", "--json"],
        ["explain", "x", "--model", "m"],
        ["report", "x", "--model", "m"],
        ["fit", "x", "--model", "m"],
        ["fit", "x", "--model", "no-folder/m.skops"],
        ["fit", "x", "--model", "m.skops", "--scenes", "("],
        ["explain", "x.png", "--model", "m", "--output", "x.jpg"],
        ["report", "x", "--model", "m", "--output", "x.png"],
    ],
    ids=" ".join,
)
def test_arguments_that_are_not_valid(capsys, arguments):
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert "usage: skfingerprint" in err


def test_help_states_the_exit_codes(capsys):
    for command in ("describe", "fit", "attribute", "explain", "report"):
        code, out, _ = run(capsys, command, "--help")
        assert code == 0
        assert re.findall(r"^  (\d+) ", out, re.M) == ["0", "1", "2", "3", "130"]


def test_nothing_to_attribute(capsys, model, tmp_path):
    code, out, err = run(capsys, "attribute", tmp_path, "--model", model)
    assert (code, out) == (3, "")
    assert "no file is inside" in err
    none = tmp_path / "none.png"
    code, out, err = run(capsys, "attribute", none, "--model", model)
    assert code == 3
    assert "error: No such file" in out
    assert err.splitlines()[-2] == "1 file: 0 named, 0 unknown, 1 not read"
    assert err.splitlines()[-1].startswith("error: no file could be attributed")
    page = tmp_path / "page.html"
    code, out, err = run(capsys, "report", none, "--model", model, "--output", page)
    assert (code, out) == (3, "")
    assert not page.exists()


def test_an_interrupt_has_a_code(capsys, monkeypatch):
    def interrupt(path):
        raise KeyboardInterrupt

    monkeypatch.setattr(
        "skfingerprint._command.arguments.describe_image_folder", interrupt
    )
    code, _, err = run(capsys, "describe", "x")
    assert (code, err) == (130, "interrupted\n")


def test_missing_extra_is_one_error(capsys, monkeypatch, folder):
    monkeypatch.setitem(sys.modules, "skops", None)
    monkeypatch.setitem(sys.modules, "skops.io", None)
    code, _, err = run(capsys, "attribute", folder, "--model", "m.skops")
    assert code == 3
    assert "pip install skops (extra 'command')" in err
    code, _, err = run(capsys, "fit", folder, "--model", "m.skops")
    assert code == 3
    assert err.startswith("error: models are files of skops")  # before any reading


def test_as_a_program(folder, model):
    file = folder / "net-0" / "00.png"
    command = [sys.executable, "-m", "skfingerprint", "attribute", file, "--csv"]
    result = subprocess.run(
        [*command, "--model", model], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0
    assert result.stderr == "1 file: 1 named, 0 unknown, 0 not read\n"
    (row,) = csv.DictReader(io.StringIO(result.stdout))
    assert row["file"] == str(file)
    assert float(row["probability"]) > 0.5
