"""Models from strangers: damaged, extended, of other types or versions."""

import io
import zipfile

import numpy as np
import pytest

import skfingerprint
from skfingerprint import make_attribution_pipeline
from skfingerprint._command import main
from skfingerprint._command.models import TRUSTED, load_model
from skfingerprint.datasets import make_fingerprint_images
from tests.polyglots import POLYGLOTS, rewrite

skops_io = pytest.importorskip("skops.io")


def test_the_list_of_types_is_exactly_that_of_the_recommended_model(model):
    estimator = load_model(model).estimator
    recommended = make_attribution_pipeline(false_alarm_rate=0.01)
    types = {
        name
        for part in (estimator, recommended)
        for name in skops_io.get_untrusted_types(data=skops_io.dumps(part))
    }
    assert types == TRUSTED


@pytest.mark.slow
@pytest.mark.parametrize("background", [None, 0])
def test_models_on_perturbed_images_need_no_other_types(background, tmp_path):
    X, y = make_fingerprint_images(40, 4, image_shape=(32, 32, 3), random_state=0)
    fitted = make_attribution_pipeline(false_alarm_rate=0.1, background=background)
    content = skops_io.dumps(fitted.fit(X, y))
    types = set(skops_io.get_untrusted_types(data=content))
    assert types <= TRUSTED
    if background is None:
        assert types == TRUSTED
    (tmp_path / "m.skops").write_bytes(content)
    loaded = load_model(tmp_path / "m.skops").estimator
    np.testing.assert_array_equal(loaded.predict(X), fitted.predict(X))


@pytest.mark.parametrize("change", POLYGLOTS.values(), ids=POLYGLOTS)
def test_bytes_outside_of_the_members_are_refused(model, tmp_path, change):
    content = change(model.read_bytes())
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None  # others read it
    (tmp_path / "m.skops").write_bytes(content)
    with pytest.raises(ValueError, match=r"m\.skops is damaged, .* outside"):
        load_model(tmp_path / "m.skops")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_second_member_of_one_name_is_refused(model, tmp_path):
    content = rewrite(model.read_bytes(), member="schema.json")
    (tmp_path / "m.skops").write_bytes(content)
    with pytest.raises(ValueError, match="is damaged"):
        load_model(tmp_path / "m.skops")


def test_a_flipped_bit_is_refused_or_changes_nothing(model, tmp_path, folder):
    content = model.read_bytes()
    files = sorted(folder.rglob("*.png"))[::12]
    expected = load_model(model).estimator.assess(files)
    rng = np.random.default_rng(0)
    places = [*rng.integers(len(content), size=12), 0, 14, len(content) - 10]
    n_refused = 0
    for place in places:
        damaged = bytearray(content)
        damaged[place] ^= 1 << rng.integers(8)
        (tmp_path / "m.skops").write_bytes(damaged)
        try:
            found = load_model(tmp_path / "m.skops").estimator.assess(files)
        except ValueError:
            n_refused += 1
        else:
            for name in expected:
                np.testing.assert_array_equal(found[name], expected[name])
    assert n_refused >= 12


def test_truncated_and_foreign_files_are_refused(model, tmp_path, capsys):
    content, path = model.read_bytes(), tmp_path / "m.skops"
    for other in (b"", content[:1000], content[:-1], b"PK\5\6" + bytes(18)):
        path.write_bytes(other)
        with pytest.raises(ValueError, match="is damaged, or no file of skops"):
            load_model(path)
    with pytest.raises(ValueError, match="is not a regular file"):
        load_model(tmp_path)
    arguments = ["attribute", "x.png", "--model", str(tmp_path / "none.skops")]
    assert main(arguments) == 3
    assert f"error: no model file {tmp_path}" in capsys.readouterr().err


@pytest.mark.parametrize("version", ["0.2.0", "9.0"])
def test_another_version_is_refused(model, tmp_path, monkeypatch, version):
    estimator, path = load_model(model).estimator, tmp_path / "m.skops"
    with monkeypatch.context() as patch:
        patch.setattr(skfingerprint, "__version__", version)
        path.write_bytes(skops_io.dumps(estimator))
    with pytest.raises(ValueError, match=rf"by skfingerprint {version}, and this is"):
        load_model(path)
    path.write_bytes(skops_io.dumps(estimator))
    load_model(path)


def test_other_types_need_trust(model, tmp_path):
    estimator, path = load_model(model).estimator, tmp_path / "m.skops"
    estimator.steps.insert(1, ("more", skfingerprint.SpectrumFlattener()))
    path.write_bytes(skops_io.dumps(estimator))
    name = "skfingerprint._images.cleaning.SpectrumFlattener"
    with pytest.raises(ValueError, match=rf"add --trust {name}$"):
        load_model(path)
    assert load_model(path, [name]).estimator.steps[1][0] == "more"


def test_other_estimators_are_refused(tmp_path):
    from sklearn.dummy import DummyClassifier

    path = tmp_path / "m.skops"
    path.write_bytes(skops_io.dumps(DummyClassifier().fit([[0], [1]], [0, 1])))
    with pytest.raises(ValueError, match="holds no estimator of skfingerprint"):
        load_model(path)
    path.write_bytes(skops_io.dumps(make_attribution_pipeline()))
    with pytest.raises(ValueError, match=r"no fitted model .*\(AugmentedPipeline\)"):
        load_model(path)


def test_a_model_without_a_rate_names_every_file(model, tmp_path, folder, capsys):
    from skfingerprint.datasets import load_image_folder

    data = load_image_folder(folder)
    fitted = make_attribution_pipeline(perturbations=())
    fitted.fit(data.images, data.target_names[data.target])
    path = tmp_path / "m.skops"
    path.write_bytes(skops_io.dumps(fitted))
    capsys.readouterr()
    assert main(["attribute", str(folder), "--model", str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 36
    assert all("false alarm -" in line for line in lines)
