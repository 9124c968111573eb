import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import adjusted_rand_score
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import normalize

from skfingerprint import (
    FingerprintClassifier,
    FingerprintClustering,
    FingerprintDetector,
    ImageReader,
    LinearPatternRemover,
    PatchWhitener,
    ResidualClustering,
    ResidualExtractor,
)
from skfingerprint._clustering.agglomeration import (
    find_freedom,
    merge_by_evidence,
    reassign,
)
from skfingerprint._clustering.base import number_by_size
from skfingerprint._clustering.communities import (
    find_neighbors,
    join_neighbors,
    weigh_edges,
)
from skfingerprint._clustering.single_source import are_several
from skfingerprint._clustering.whitening import cut_patches, find_patch_side
from skfingerprint.datasets import load_generators, make_fingerprint_images


def draw_rows(n_sources, n_rows, spread=1.2, n_features=30, seed=0):
    """Rows around the mean of each source, and their sources."""
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(n_sources), n_rows)
    means = spread * rng.normal(size=(n_sources, n_features))
    return (means[y] + rng.normal(size=(len(y), n_features))).astype(np.float32), y


@pytest.fixture(scope="module")
def generators():
    """40 images of each of eight networks."""
    data = load_generators()
    for name in ("images", "target", "groups"):
        data[name] = data[name][::2]
    return data


@pytest.fixture(scope="module")
def whitened(generators):
    return PatchWhitener(random_state=0).fit_transform(generators.images)


@pytest.fixture
def networkx():
    return pytest.importorskip("networkx")


# Rows whitened by patches


def test_whitened_rows_of_one_source_point_in_one_direction(generators, whitened):
    cosines = cosine_similarity(whitened)
    same = generators.target[:, None] == generators.target
    np.fill_diagonal(cosines, np.nan)
    assert np.nanmean(cosines[same]) > 0.3
    assert np.nanmean(cosines[~same]) < 0
    shown = generators.groups[:, None] == generators.groups
    assert np.nanmean(cosines[~same & shown]) < 0.1


def test_whitener_learns_from_other_sources(generators):
    """Pairs of sources that it never saw are told apart."""
    known = generators.target < 4
    whitener = PatchWhitener(random_state=0).fit(generators.images[known])
    rows = whitener.transform(generators.images[~known])
    cosines = cosine_similarity(rows)
    y = generators.target[~known]
    same = y[:, None] == y
    off = ~np.eye(len(y), dtype=bool)
    assert cosines[same & off].mean() > cosines[~same].mean() + 0.3


def test_whitened_scatters(generators):
    images = generators.images[:60]
    whitener = PatchWhitener(n_components=10, random_state=0).fit(images)
    rows = whitener.transform(images)
    np.testing.assert_allclose(rows.var(axis=0), whitener.eigenvalues_, rtol=1e-2)
    assert (np.diff(whitener.eigenvalues_) <= 0).all()
    correlations = np.corrcoef(rows.T)
    np.testing.assert_allclose(correlations, np.eye(10), atol=1e-2)


def test_sizes_of_images_are_of_no_matter(generators):
    images = list(generators.images[:30])
    whitener = PatchWhitener(n_components=5, random_state=0).fit(images)
    ragged = [image[: 64 + i, : 70 - i] for i, image in enumerate(images)]
    mixed = PatchWhitener(n_components=5, random_state=0).fit(ragged)
    assert mixed.transform(ragged).shape == whitener.transform(ragged).shape == (30, 5)
    alone = whitener.transform([ragged[3]])
    np.testing.assert_allclose(alone[0], whitener.transform(ragged)[3], atol=1e-3)


def test_files_are_read_when_they_are_needed(generators, tmp_path):
    image = pytest.importorskip("PIL.Image")
    images, paths = generators.images[:20], []
    for i, pixels in enumerate(images):
        paths.append(str(tmp_path / f"{i}.png"))
        image.fromarray(pixels).save(paths[-1])
    whitener = PatchWhitener(n_components=5, max_samples=12, random_state=0)
    expected = clone(whitener).fit_transform(images)
    found = make_pipeline(ImageReader(), whitener).fit_transform(paths)
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_at_most_max_samples_are_learned_from(generators):
    images = generators.images[:40]
    few = PatchWhitener(random_state=0, max_samples=10).fit(images)
    assert few.directions_.shape[1] == 9
    other = PatchWhitener(random_state=1, max_samples=10).fit(images)
    assert not np.allclose(few.mean_, other.mean_)


def test_names_of_whitened_columns(generators):
    whitener = PatchWhitener(n_components=3, random_state=0).fit(generators.images[:8])
    assert whitener.get_feature_names_out().tolist() == [
        f"patchwhitener{i}" for i in range(3)
    ]


def test_constant_images_are_whitened_to_zero():
    rows = PatchWhitener().fit_transform(np.full((6, 40, 40), 7.0))
    assert not rows.any()


@pytest.mark.parametrize("size", [(28, 40), (29, 41, 3)])
def test_patches_are_quarters(size):
    images = np.arange(2 * np.prod(size)).reshape(2, *size)
    patches = list(cut_patches(images))
    assert [p[1].shape[:2] for p in patches] == [(14, 20)] * 4
    assert find_patch_side(images) == 14
    np.testing.assert_array_equal(patches[1][0], images[0, :14, -20:])


def test_patches_of_small_images_overlap_and_those_of_rows_are_halves():
    small, row = np.arange(400).reshape(1, 20, 20), np.arange(6).reshape(1, 1, 6)
    assert [p[0].shape for p in cut_patches(small)] == [(14, 14)] * 4
    assert [p[0].ravel().tolist() for p in cut_patches(row)] == [[0, 1, 2], [3, 4, 5]]
    assert find_patch_side(row) == 3


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_components": 0}, "n_components must be an int >= 1, got 0"),
        ({"n_pca": 1.5}, "n_pca must be an int >= 1, got 1.5"),
        ({"max_samples": 1}, "max_samples must be an int >= 2, got 1"),
        ({"block_size": 0}, "block_size must be an int >= 1, got 0"),
        ({"shrinkage": 0}, "shrinkage must be > 0, got 0"),
    ],
)
def test_parameters_of_the_whitener(params, message):
    with pytest.raises(ValueError, match=message):
        PatchWhitener(**params).fit(np.zeros((4, 40, 40)))


# Clusters of rows


def test_sources_that_ship_with_the_package(networkx, generators, whitened):
    clustering = FingerprintClustering(random_state=0).fit(whitened)
    assert 8 <= clustering.n_clusters_ <= 10
    assert adjusted_rand_score(generators.target, clustering.labels_) > 0.85


@pytest.mark.parametrize("source", [0, 3, 6])
def test_one_source_is_one_cluster(networkx, generators, source):
    own = generators.images[generators.target == source]
    clustering = make_pipeline(
        PatchWhitener(random_state=0), FingerprintClustering(random_state=0)
    )
    assert not clustering.fit_predict(own).any()


@pytest.mark.parametrize("n_rows", [1, 2, 3, 8, 200])
def test_a_cloud_is_one_cluster(networkx, n_rows):
    rows, _ = draw_rows(1, n_rows)
    clustering = FingerprintClustering(random_state=0).fit(rows)
    assert clustering.n_clusters_ == (n_rows > 1)
    assert set(clustering.labels_) == {0 if n_rows > 1 else -1}
    assert (clustering.n_neighbors_ is None) == (n_rows < 8)


@pytest.mark.parametrize("n_sources", [2, 3, 10])
def test_sources_are_counted(networkx, n_sources):
    rows, y = draw_rows(n_sources, 30)
    clustering = FingerprintClustering(random_state=0).fit(rows)
    assert clustering.n_clusters_ == n_sources
    assert adjusted_rand_score(y, clustering.labels_) == 1


def test_without_the_test_a_cloud_is_split(networkx):
    rows, _ = draw_rows(1, 100)
    clustering = FingerprintClustering(test_single=False, random_state=0)
    assert clustering.fit(rows).n_clusters_ > 1


def test_order_and_repetition_of_rows_change_nothing(networkx):
    rows, _ = draw_rows(5, 20, spread=0.6)
    expected = FingerprintClustering(random_state=0).fit(rows).labels_
    order = np.random.default_rng(0).permutation(100)
    found = FingerprintClustering(random_state=0).fit(rows[order]).labels_
    assert adjusted_rand_score(expected[order], found) == 1
    found = FingerprintClustering(random_state=0).fit(np.repeat(rows, 3, axis=0))
    assert adjusted_rand_score(np.repeat(expected, 3), found.labels_) == 1
    again = FingerprintClustering(random_state=0).fit(rows).labels_
    np.testing.assert_array_equal(again, expected)


def test_zero_rows_are_in_no_cluster(networkx):
    rows, y = draw_rows(2, 20)
    rows[[3, 30]] = 0
    labels = FingerprintClustering(random_state=0).fit_predict(rows)
    assert np.flatnonzero(labels < 0).tolist() == [3, 30]
    assert adjusted_rand_score(y[labels >= 0], labels[labels >= 0]) == 1
    none = FingerprintClustering().fit(np.zeros((9, 4)))
    assert none.n_clusters_ == 0 and set(none.labels_) == {-1}


def test_rows_that_were_not_drawn_join_their_neighbors(networkx):
    rows, y = draw_rows(4, 60)
    clustering = FingerprintClustering(max_samples=100, random_state=0).fit(rows)
    assert adjusted_rand_score(y, clustering.labels_) == 1


@pytest.mark.parametrize("max_samples", [60, 240])
def test_new_rows_join_and_fitted_rows_keep_their_clusters(networkx, max_samples):
    rows, y = draw_rows(4, 120)
    fitted, new = np.arange(480) % 2 == 0, np.arange(480) % 2 == 1
    params = {"max_samples": max_samples, "random_state": 0}
    clustering = FingerprintClustering(**params).fit(rows[fitted])
    np.testing.assert_array_equal(clustering.predict(rows[fitted]), clustering.labels_)
    found = clustering.predict(rows[new])
    assert adjusted_rand_score(y[new], found) > 0.95
    alone = [clustering.predict(row[np.newaxis])[0] for row in rows[new][:20]]
    assert alone == found[:20].tolist()
    # Neighbors are those by cosine: the length of a row has no effect.
    np.testing.assert_array_equal(clustering.predict(3 * rows[new]), found)


def test_rows_join_by_the_vote_of_the_nearest_by_cosine(networkx):
    rows, _ = draw_rows(3, 40, spread=0.6)
    clustering = FingerprintClustering(n_neighbors=5, random_state=0).fit(rows[::2])
    nearest = cosine_similarity(rows[1::2], rows[::2]).argsort(axis=1)[:, -5:]
    votes = np.stack(
        [np.bincount(n, minlength=60) for n in 1 + clustering.labels_[nearest]]
    )
    clear = votes.max(axis=1) > 2  # more than half of five
    assert clear.mean() > 0.8
    found = clustering.predict(rows[1::2])
    np.testing.assert_array_equal(found[clear], votes.argmax(axis=1)[clear] - 1)


def test_rows_without_a_cluster(networkx):
    rows, _ = draw_rows(2, 20)
    clustering = FingerprintClustering(random_state=0).fit(rows)
    assert clustering.predict(np.zeros((2, rows.shape[1]))).tolist() == [-1, -1]
    assert set(FingerprintClustering().fit(rows[:3]).predict(rows)) == {0}
    assert set(FingerprintClustering().fit(rows[:1]).predict(rows)) == {-1}
    none = FingerprintClustering().fit(np.zeros((9, rows.shape[1])))
    assert set(none.predict(rows)) == {-1}
    with pytest.raises(ValueError, match="features"):
        clustering.predict(rows[:, 1:])
    with pytest.raises(ValueError, match="NaN"):
        clustering.predict(np.full_like(rows, np.nan))
    with pytest.raises(NotFittedError):
        FingerprintClustering().predict(rows)


def test_a_pipeline_sorts_new_images(networkx, generators):
    sort = make_pipeline(
        PatchWhitener(random_state=0), FingerprintClustering(random_state=0)
    )
    few = np.arange(0, len(generators.images), 2)
    labels = sort.fit_predict(generators.images[few])
    np.testing.assert_array_equal(sort.predict(generators.images[few]), labels)
    found = sort.predict(generators.images[few + 1])
    assert adjusted_rand_score(generators.target[few + 1], found) > 0.8


def test_neighbors_and_edges_against_all_pairs():
    rows = normalize(draw_rows(4, 10)[0])
    cosines = cosine_similarity(rows)
    np.fill_diagonal(cosines, -2)
    near = find_neighbors(rows, 5)
    np.testing.assert_array_equal(near, cosines.argsort(axis=1)[:, ::-1][:, :5])
    first, second, weights = weigh_edges(near)
    hoods = [{i, *near[i]} for i in range(40)]
    expected = [
        len(hoods[a] & hoods[b]) / len(hoods[a] | hoods[b])
        for a, b in zip(first, second, strict=True)
    ]
    np.testing.assert_allclose(weights, expected, rtol=1e-6)
    pairs = {(i, int(j)) for i in range(40) for j in near[i]}
    assert {frozenset(p) for p in pairs} == {
        frozenset(p) for p in zip(first.tolist(), second.tolist(), strict=True)
    }
    assert len(set(zip(first.tolist(), second.tolist(), strict=True))) == len(first)
    labels = np.repeat(np.arange(4), 10)
    drawn = np.arange(0, 40, 2)
    joined = join_neighbors(rows, rows[drawn], labels[drawn], 5)
    np.testing.assert_array_equal(joined, labels)


def test_several_or_one():
    rng = np.random.default_rng(0)
    assert not are_several(draw_rows(1, 60)[0], 2, rng)
    assert are_several(draw_rows(2, 30)[0], 2, rng)
    assert not are_several(draw_rows(1, 60)[0], 8, rng)
    assert not are_several(draw_rows(1, 2)[0], 2, rng)
    same_direction = np.outer(np.arange(1, 20), np.ones(4)).astype(np.float32)
    assert not are_several(same_direction, 2, rng)


def test_numbers_by_size():
    labels = np.array([7, 7, 3, 3, 3, 9, -1, -1])
    assert number_by_size(labels).tolist() == [1, 1, 0, 0, 0, -1, -1, -1]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_neighbors": 0}, "n_neighbors must be an int >= 1 or 'auto', got 0"),
        ({"n_neighbors": "all"}, "n_neighbors must be an int"),
        ({"max_samples": 3}, "max_samples must be an int >= 8, got 3"),
        ({"resolution": 0}, "resolution must be > 0, got 0"),
    ],
)
def test_parameters_of_the_clustering(params, message):
    with pytest.raises(ValueError, match=message):
        FingerprintClustering(**params).fit(draw_rows(1, 10)[0])


def test_a_given_number_of_neighbors_is_taken(networkx):
    rows, _ = draw_rows(2, 10)
    assert (
        FingerprintClustering(n_neighbors=4, random_state=0).fit(rows).n_neighbors_ == 4
    )
    assert (
        FingerprintClustering(n_neighbors=50, random_state=0).fit(rows).n_neighbors_
        == 19
    )


def test_the_extra_is_named_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "networkx", None)
    with pytest.raises(ImportError, match="pip install networkx"):
        FingerprintClustering().fit(draw_rows(2, 10)[0])


# Clusters of residuals


@pytest.fixture(scope="module")
def cameras():
    images, y = make_fingerprint_images(
        80, 5, image_shape=(64, 64), strength=8, random_state=0
    )
    residuals = ResidualExtractor().transform(images)
    return LinearPatternRemover().fit_transform(residuals), y


def test_cameras_are_counted_and_their_fingerprints_found(cameras):
    residuals, y = cameras
    clustering = ResidualClustering(random_state=0).fit(residuals)
    assert clustering.n_clusters_ == 5
    assert adjusted_rand_score(y, clustering.labels_) == 1
    assert clustering.cluster_sizes_.tolist() == sorted(np.bincount(y))[::-1]
    for number in range(5):
        own = residuals[clustering.labels_ == number].mean(axis=0)
        found = clustering.fingerprints_[number]
        np.testing.assert_allclose(found, own, atol=1e-4)


def test_clusters_become_a_classifier_and_a_detector(cameras):
    residuals, y = cameras
    clustering = ResidualClustering(random_state=0).fit(residuals[:60])
    labels = clustering.labels_
    found = clustering.classifier_.predict(residuals[60:])
    assert adjusted_rand_score(y[60:], found) == 1
    expected = FingerprintClassifier().fit(residuals[:60], labels)
    np.testing.assert_allclose(
        clustering.classifier_.correlate(residuals[60:]),
        expected.correlate(residuals[60:]),
        atol=1e-5,
    )
    more = clone_fitted(clustering.classifier_).partial_fit(residuals[60:], found)
    assert more.class_weight_sum_.sum() == 80
    detector = FingerprintDetector(false_alarm_rate=0.1).fit(residuals[:60], labels)
    assert (detector.predict(residuals[60:]) == 1).mean() > 0.9
    merged = clone_fitted(clustering.classifier_).merge(expected)
    np.testing.assert_array_equal(merged.class_weight_sum_, 2 * np.bincount(labels))


def clone_fitted(classifier):
    fresh = clone(classifier)
    vars(fresh).update(vars(classifier))
    return fresh


def test_no_fingerprint_no_cluster():
    residuals = np.random.default_rng(0).normal(size=(30, 32, 32))
    clustering = ResidualClustering(random_state=0).fit(residuals)
    assert clustering.n_clusters_ == 0
    assert set(clustering.labels_) == {-1}
    assert clustering.fingerprints_.shape == (0, 32, 32)
    assert clustering.degrees_of_freedom_ == pytest.approx(1024, rel=0.1)


@pytest.mark.parametrize("n_images", [1, 2, 3, 8])
def test_few_residuals(cameras, n_images):
    residuals, y = cameras
    own = residuals[y == 0][:n_images]
    clustering = ResidualClustering(random_state=0).fit(own)
    assert clustering.n_clusters_ == (n_images > 1)


def test_zero_and_repeated_residuals(cameras):
    residuals = cameras[0][:10].copy()
    residuals[4] = 0
    labels = ResidualClustering(random_state=0).fit_predict(residuals)
    assert labels[4] == -1
    twice = ResidualClustering(random_state=0).fit_predict(np.repeat(residuals, 2, 0))
    np.testing.assert_array_equal(twice[::2], twice[1::2])
    none = ResidualClustering().fit(np.zeros((3, 8, 8)))
    assert none.n_clusters_ == 0 and set(none.labels_) == {-1}


def test_freedom_is_that_of_unlike_neighbors():
    """Residuals of which each value stands twice have half of the freedom."""
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(60, 40, 20)).repeat(2, axis=2)
    units = normalize(noise.reshape(60, -1).astype(np.float32))
    found = find_freedom(units, (40, 40), rng)
    assert found == pytest.approx(800, rel=0.15)
    shared = units + 2 * units[:1]
    shared = find_freedom(normalize(shared), (40, 40), rng)
    assert shared == pytest.approx(800, rel=0.4)


def test_merging_by_known_evidence():
    correlations = np.eye(4)
    correlations[:2, :2] = correlations[2:, 2:] = [[1, 0.3], [0.3, 1]]
    labels = merge_by_evidence(correlations, 1000)
    assert labels.tolist() == [0, 0, 1, 1]
    # 1000 / 2 * (0.05 - log 1.05) = 0.6 < log 6
    correlations[:2, :2] = [[1, 0.05], [0.05, 1]]
    assert len(set(merge_by_evidence(correlations, 1000)[:2])) == 2


def test_reassignment_mends_a_wrong_label(cameras):
    residuals, y = cameras
    units = normalize(residuals.reshape(len(y), -1))
    wrong = y.copy()
    wrong[:3] = (y[:3] + 1) % 5
    np.testing.assert_array_equal(reassign(units, wrong), y)
    assert reassign(units, np.zeros_like(y)).max() == 0


def test_reassignment_is_an_option(cameras):
    residuals, y = cameras
    clustering = ResidualClustering(reassign=False, random_state=0).fit(residuals)
    assert adjusted_rand_score(y, clustering.labels_) > 0.9
