"""`groups` and `sample_weight`: alone, in pipelines, in model selection, in stacks."""

import numpy as np
import pytest
import sklearn
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.ensemble import StackingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GroupKFold,
    LeaveOneGroupOut,
    StratifiedGroupKFold,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.utils.metadata_routing import MetadataRouter, get_routing_for_object

from skfingerprint import (
    AttributionFeatures,
    AugmentedPipeline,
    FingerprintClassifier,
    FingerprintDetector,
    FingerprintTransformer,
    RejectingClassifier,
    ResidualExtractor,
    SourceDiscriminant,
    make_attribution_pipeline,
)
from skfingerprint.datasets import make_fingerprint_images
from skfingerprint.perturbation import GaussianBlur, Shift
from skfingerprint.thresholds import tail_threshold
from tests.estimators import assert_same, augment

RNG = np.random.default_rng(0)
Y = np.arange(60) % 3
GROUPS = np.arange(60) // 6
# Scenes that the images of a group share, so that groups matter.
X = RNG.normal(size=(10, 12, 12)).repeat(6, axis=0) + RNG.normal(size=(60, 12, 12))
X = (X + 0.6 * RNG.normal(size=(3, 12, 12))[Y]).astype(np.float32) * 5
WEIGHTS = RNG.uniform(0.1, 3, size=60)
METADATA = {"groups": GROUPS, "sample_weight": WEIGHTS}
ROUTING = pytest.mark.parametrize("routing", [False, True], ids=["off", "on"])


class Last(ClassifierMixin, BaseEstimator):
    """Keeps what it is fitted on, and takes all that StackingClassifier hands on."""

    def fit(self, X, y, groups=None, sample_weight=None):
        self.X_, self.y_, self.classes_ = np.asarray(X), np.asarray(y), np.unique(y)
        self.groups_, self.sample_weight_ = groups, sample_weight
        return self

    def predict(self, X):
        return np.resize(self.classes_, len(X))


class Plain(Last):
    """Takes no metadata."""

    def fit(self, X, y):
        return super().fit(X, y)


def request(estimator):
    """Request weights, as routing needs; groups are requested by themselves."""
    return estimator.set_fit_request(sample_weight=True)


def make(name, *, routing):
    last = Plain()
    transformer, detector = FingerprintTransformer(), FingerprintDetector()
    classifier = FingerprintClassifier()
    if routing:
        for estimator in (transformer, detector, classifier):
            request(estimator)
    return {
        "transformer": make_pipeline(transformer, last),
        "detector": detector,
        "rejecting": RejectingClassifier(classifier, detector, unknown_label=-1),
        "augmented": augment(
            make_pipeline(transformer, last), [Shift(down=1, right=0)]
        ),
    }[name]


def state(model):
    """What metadata may change in a fitted model, nested ones included."""
    if hasattr(model, "steps"):
        return np.concatenate([state(step) for _, step in model.steps])
    if isinstance(model, StackingClassifier):
        return np.concatenate([state(part) for part in model.estimators_])
    found = [
        np.ravel(getattr(model, name))
        for name in ("fingerprints_", "null_scores_", "offset_", "X_")
        if hasattr(model, name)
    ]
    parts = ("classifier_", "detector_", "estimator_")
    found += [state(getattr(model, name)) for name in parts if hasattr(model, name)]
    return np.concatenate(found).astype(float) if found else np.empty(0)


def fit(model, where, routing, **metadata):
    """Return the state of a model that was fitted somewhere."""
    pipeline = make_pipeline(ResidualExtractor("gaussian"), clone(model))
    is_chain = hasattr(model, "steps") and not isinstance(model, AugmentedPipeline)
    if where == "alone":
        if is_chain:
            return model[0].fit_transform(X, Y, **metadata).ravel()
        return state(model.fit(X, Y, **metadata))
    if where == "stacking":
        final = Last().set_fit_request(groups=False, sample_weight=False)
        stack = StackingClassifier(
            [("a", pipeline)], final if routing else Last(), cv=2
        )
        return state(stack.fit(X, Y, **metadata))
    if not routing:
        prefix = pipeline.steps[-1][0]
        if is_chain:
            prefix += "__fingerprinttransformer"
        metadata = {f"{prefix}__{key}": value for key, value in metadata.items()}
    if where == "pipeline":
        return state(pipeline.fit(X, Y, **metadata))
    found = cross_validate(
        pipeline,
        X,
        Y,
        cv=3,
        params=metadata or None,
        scoring=lambda *_: 0.0,
        return_estimator=True,
        error_score="raise",
    )
    return np.concatenate([state(e) for e in found["estimator"]])


@pytest.mark.filterwarnings("ignore:detection_rate_ is")
@ROUTING
@pytest.mark.parametrize("key", METADATA)
@pytest.mark.parametrize("where", ["alone", "pipeline", "cross_validate", "stacking"])
@pytest.mark.parametrize("name", ["transformer", "detector", "rejecting", "augmented"])
def test_metadata_are_effective(name, where, key, routing):
    if where == "stacking" and (name == "detector" or not routing):
        pytest.skip(
            "a detector is no classifier; without routing, a stack hands on none"
        )
    with sklearn.config_context(enable_metadata_routing=routing):
        plain = fit(make(name, routing=routing), where, routing)
        given = {key: METADATA[key]}
        found = fit(make(name, routing=routing), where, routing, **given)
    assert plain.shape == found.shape
    assert not np.allclose(plain, found, atol=1e-6)


@ROUTING
def test_routing_changes_no_number(routing):
    with sklearn.config_context(enable_metadata_routing=routing):
        for name in ("transformer", "detector", "rejecting", "augmented"):
            found = fit(make(name, routing=routing), "pipeline", routing, **METADATA)
            with sklearn.config_context(enable_metadata_routing=False):
                expected = fit(make(name, routing=False), "pipeline", False, **METADATA)
            assert_same(found, expected)


def test_a_number_of_folds_keeps_groups_together():
    names = np.array([f"scene {n}" for n in GROUPS])
    for estimator in (FingerprintTransformer, FingerprintDetector):
        found = fit_state(estimator(cv=4), groups=names)
        expected = fit_state(estimator(cv=StratifiedGroupKFold(4)), groups=GROUPS)
        assert_same(found, expected)
        # Each class has ten groups: more folds than that can't be.
        most = fit_state(estimator(cv=50), groups=GROUPS)
        assert_same(
            most, fit_state(estimator(cv=StratifiedGroupKFold(10)), groups=GROUPS)
        )


def fit_state(estimator, **metadata):
    if hasattr(estimator, "fit_transform"):
        return estimator.fit_transform(X, Y, **metadata)
    return estimator.fit(X, Y, **metadata).null_scores_


@pytest.mark.parametrize("estimator", [FingerprintTransformer, FingerprintDetector])
def test_weights_are_repetitions(estimator):
    weights = np.random.default_rng(1).integers(0, 4, size=60)
    repeated = np.repeat(np.arange(60), weights)
    weighted = estimator(cv=LeaveOneGroupOut())
    copied = clone(weighted)
    if hasattr(weighted, "fit_transform"):
        found = weighted.fit_transform(X, Y, groups=GROUPS, sample_weight=weights)
        copied.fit_transform(X[repeated], Y[repeated], groups=GROUPS[repeated])
        np.testing.assert_allclose(
            found[repeated],
            clone(weighted).fit_transform(
                X[repeated], Y[repeated], groups=GROUPS[repeated]
            ),
            atol=1e-5,
        )
        np.testing.assert_allclose(
            weighted.transform(X), copied.transform(X), atol=1e-5
        )
    else:
        weighted.fit(X, Y, groups=GROUPS, sample_weight=weights)
        copied.fit(X[repeated], Y[repeated], groups=GROUPS[repeated])
        # Apart from the number of images, which copies raise and weights do not.
        found, expected = (
            tail_threshold(
                model.null_scores_,
                0.01,
                sample_weight=model.null_weights_,
            )
            for model in (weighted, copied)
        )
        assert found == pytest.approx(expected, abs=1e-5)
        np.testing.assert_allclose(
            weighted.score_samples(X), copied.score_samples(X), atol=1e-5
        )


def test_bad_weights_are_refused():
    zero = np.where(Y == 1, 0, WEIGHTS)
    for estimator in (FingerprintTransformer(), FingerprintDetector()):
        with pytest.raises(ValueError, match=r"0 in all of class \[1\]"):
            fit_state(estimator, sample_weight=zero)
        with pytest.raises(ValueError, match=r"[Nn]egative"):
            fit_state(estimator, sample_weight=-WEIGHTS)
        with pytest.raises(ValueError, match="groups must have an entry for each"):
            fit_state(estimator, groups=GROUPS[:-1])
        with pytest.raises(ValueError, match=r"shape"):
            fit_state(estimator, sample_weight=WEIGHTS[:-1])


def test_copies_take_over_the_metadata_of_their_image():
    model = augment(Last(), [Shift(down=1, right=0), Shift(down=0, right=1)])
    model.fit(X.clip(0), Y, groups=GROUPS.tolist(), sample_weight=WEIGHTS)
    np.testing.assert_array_equal(model[-1].groups_, np.repeat(GROUPS, 3))
    np.testing.assert_array_equal(model[-1].sample_weight_, np.repeat(WEIGHTS, 3))
    bare = augment(Last(), []).fit(X, Y)
    assert bare[-1].groups_ is None


def test_what_nobody_takes_is_refused():
    model = augment(Plain(), [])
    with pytest.raises(ValueError, match=r"got \['groups', 'sample_weight'\]"):
        model.fit(X, Y, **METADATA)
    rejecting = RejectingClassifier(LogisticRegression(), FingerprintDetector())
    rejecting.fit(X.reshape(60, -1), Y, groups=GROUPS)  # the detector takes them
    with pytest.raises(ValueError, match=r"got \['color'\]"):
        rejecting.fit(X.reshape(60, -1), Y, color=GROUPS)
    with pytest.raises(TypeError, match="color"):
        FingerprintDetector(cv=GroupKFold(2)).fit(X, Y, groups=GROUPS, color=GROUPS)


def test_steps_of_a_pipeline_get_what_they_take():
    model = RejectingClassifier(
        make_pipeline(ResidualExtractor("gaussian"), FingerprintClassifier()),
        make_pipeline(ResidualExtractor("gaussian"), FingerprintDetector()),
        unknown_label=-1,
    ).fit(X, Y, **METADATA)
    residuals = ResidualExtractor("gaussian").transform(X)
    expected = FingerprintClassifier().fit(residuals, Y, sample_weight=WEIGHTS)
    assert_same(model.classifier_[-1].fingerprints_, expected.fingerprints_)
    expected = FingerprintDetector().fit(residuals, Y, **METADATA)
    assert_same(model.detector_[-1].offset_, expected.offset_)


def test_estimators_are_consumers_and_routers():
    with sklearn.config_context(enable_metadata_routing=True):
        for estimator in (FingerprintTransformer(), FingerprintDetector()):
            estimator.set_params(cv=GroupKFold(3))
            routing = get_routing_for_object(estimator)
            assert isinstance(routing, MetadataRouter)
            assert routing._self_request.fit.requests["groups"] is True
            assert routing._self_request.fit.requests["sample_weight"] is None
            assert routing.consumes("fit", ["groups", "color"]) == {"groups"}
            splitter = routing._route_mappings["splitter"].router
            assert splitter.split.requests["groups"] is True


def test_metadata_of_the_splitter_are_routed_to_it():
    with sklearn.config_context(enable_metadata_routing=True):
        splitter = GroupKFold(3).set_split_request(groups="scene")
        for estimator in (FingerprintTransformer, FingerprintDetector):
            renamed = estimator(cv=splitter).set_fit_request(groups=False)
            found = fit_state(renamed, scene=GROUPS)
            expected = fit_state(estimator(cv=GroupKFold(3)), groups=GROUPS)
            assert_same(found, expected)


@pytest.mark.parametrize(
    "model",
    [
        make_attribution_pipeline(perturbations=(), false_alarm_rate=0.1),
        make_attribution_pipeline(perturbations=()),
        augment(
            make_pipeline(AttributionFeatures(), SourceDiscriminant()),
            [GaussianBlur(std=1)],
        ),
        make_pipeline(AttributionFeatures(), RejectingClassifier()),
    ],
    ids=["rate", "plain", "augmented", "rejecting"],
)
def test_routing_reaches_fit_and_score(model):
    X, y = make_fingerprint_images(60, 3, strength=8, random_state=0)
    groups = np.arange(60) // 2
    with sklearn.config_context(enable_metadata_routing=True):
        found = cross_validate(
            model,
            X,
            y,
            params={"groups": groups},
            cv=GroupKFold(2),
            error_score="raise",
        )
        assert np.isfinite(found["test_score"]).all()


@pytest.mark.parametrize("request_", [False, "scene"])
def test_groups_that_nobody_takes_are_not_made_up(request_):
    X, y = make_fingerprint_images(30, 3, strength=8, random_state=0)
    last = SourceDiscriminant(cv=2)
    with sklearn.config_context(enable_metadata_routing=True):
        last.set_fit_request(groups=request_)
        chain = make_pipeline(AttributionFeatures(), last)
        model = augment(chain, [GaussianBlur(std=1)])
        given = {"scene": np.arange(30)} if request_ else {}
        assert model.fit(X, y, **given).score(X, y) > 0.5
