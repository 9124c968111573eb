"""Graphs of shared neighbours, their communities, and whether rows are of one kind."""

import warnings

import numpy as np
from scipy import sparse
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import silhouette_score
from threadpoolctl import threadpool_limits

from skfingerprint._checks import needs_extra

# Of similarities that are held at a time.
SIMILARITY_VALUES = 2**22
# Edges whose neighbourhoods are compared at a time.
EDGES = 2**15
# Rows that silhouettes are taken of, and that the null is drawn for, at most.
MAX_JUDGED = 2000
MAX_TESTED = 500
N_DRAWS = 20
# By how much a silhouette must exceed that of draws from one Gaussian: of a split in
# two, and of one in more, which scenes that repeat bring about as well.
EXCESS_OF_TWO = 0.03
EXCESS_OF_MORE = 0.15


def find_sources(rows, ks, most, n_drawn, resolution, test_single, rng):
    """Return a label for each row, and the best number of neighbours of `ks`.

    Of these `most` is the largest. So many rows are drawn and sorted, and the others
    join them.
    """
    places = draw_places(len(rows), n_drawn, rng)
    tested = rows[places[draw_places(n_drawn, MAX_TESTED, rng)]]
    units = to_unit_norm(rows)
    drawn = units[places]
    found, k = _find_best(drawn, ks, most, resolution, rng)
    sizes = dict.fromkeys((2, int(found.max()) + 1))
    if test_single and not any(are_several(tested, n, rng) for n in sizes if n > 1):
        return np.zeros(len(rows), dtype=np.intp), k
    labels = join_neighbours(units, drawn, found, k) if n_drawn < len(rows) else found
    labels[places] = found
    return labels, k


def _find_best(rows, ks, most, resolution, rng):
    """Return the communities of largest silhouette, and their number of neighbours."""
    judged = draw_places(len(rows), MAX_JUDGED, rng)
    seed = int(rng.integers(2**31))
    neighbours = find_neighbours(rows, most)
    best = -2.0, None, None
    for k in ks:
        labels = find_communities(neighbours[:, :k], resolution, seed)
        score = judge(rows[judged], labels[judged])
        if score > best[0]:
            best = score, labels, k
    return best[1:]


def find_neighbours(rows, n_neighbors, among=None):
    """Return the rows of largest cosine, nearest first, (n_rows, n_neighbors).

    Rows have unit norm. A block of the matrix of cosines is held at a time. Without
    rows to look `among`, they are neighbours of each other, and none of itself.
    """
    others = rows if among is None else among
    found = np.empty((len(rows), n_neighbors), dtype=np.int32)
    step = max(1, SIMILARITY_VALUES // len(others))
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        distances = -rows[part] @ others.T
        if among is None:
            own = np.arange(len(distances))
            distances[own, own + start] = np.inf
        near = np.argpartition(distances, n_neighbors - 1, axis=1)[:, :n_neighbors]
        order = np.take_along_axis(distances, near, axis=1).argsort(axis=1)
        found[part] = np.take_along_axis(near, order, axis=1)
    return found


def weigh_edges(neighbours):
    """Return the edges of the neighbour graph, and the overlap of their neighbourhoods.

    The weight is the Jaccard index of two neighbourhoods, each with its own row.
    """
    n_rows, k = neighbours.shape
    ends = np.arange(0, n_rows * k + 1, k)
    ones = np.ones(n_rows * k, dtype=np.float32)
    graph = sparse.csr_array((ones, neighbours.ravel(), ends), shape=(n_rows, n_rows))
    hoods = (graph + sparse.eye_array(n_rows, dtype=np.float32)).tocsr()
    edges = sparse.triu(graph + graph.T, k=1).tocoo()
    first, second = edges.coords
    shared = np.empty(len(first), dtype=np.float32)
    for start in range(0, len(first), EDGES):
        part = slice(start, start + EDGES)
        shared[part] = (hoods[first[part]] * hoods[second[part]]).sum(axis=1)
    return first, second, shared / (2 * (k + 1) - shared)


def find_communities(neighbours, resolution, seed):
    """Return the community of each row, by Louvain's method."""
    with needs_extra("cluster", "communities need networkx"):
        import networkx
    graph = networkx.Graph()
    graph.add_nodes_from(range(len(neighbours)))
    edges = (values.tolist() for values in weigh_edges(neighbours))
    graph.add_weighted_edges_from(zip(*edges, strict=True))
    labels = np.empty(len(neighbours), dtype=np.intp)
    found = networkx.community.louvain_communities(
        graph, resolution=resolution, seed=seed
    )
    for number, members in enumerate(found):
        labels[list(members)] = number
    return labels


def join_neighbours(rows, among, labels, n_neighbors):
    """Return the label that most neighbours of each row have."""
    near = labels[find_neighbours(rows, n_neighbors, among)]
    members = near[:, :, None] == np.arange(labels.max() + 1)
    return members.sum(axis=1).argmax(axis=1)


def draw_places(n_rows, most, rng):
    """Return the sorted places of at most so many rows."""
    if n_rows <= most:
        return np.arange(n_rows)
    return np.sort(rng.choice(n_rows, most, replace=False))


def judge(rows, labels):
    """Return the mean cosine silhouette; -1 where there are not several clusters."""
    if not 1 < len(np.unique(labels)) < len(rows):
        return -1.0
    return float(silhouette_score(rows, labels, metric="cosine"))


def are_several(rows, n_clusters, rng):
    """Whether a split of rows is better than those of draws from one Gaussian.

    The draws have the mean and the covariance of the rows.
    """
    if len(rows) <= n_clusters:
        return False
    seed = int(rng.integers(2**31))
    center = rows.mean(axis=0)
    scores, axes = np.linalg.svd(rows - center, full_matrices=False)[1:]
    factor = scores[:, None] * axes / np.sqrt(len(rows) - 1)
    null = np.empty(N_DRAWS)
    with threadpool_limits(1):  # so few rows are slower by several threads
        for i in range(N_DRAWS):
            drawn = rng.standard_normal((len(rows), len(factor)), dtype=np.float32)
            null[i] = _split(drawn @ factor + center, n_clusters, seed)
        excess = _split(rows, n_clusters, seed) - null.mean()
    margin = EXCESS_OF_TWO if n_clusters == 2 else EXCESS_OF_MORE
    return excess > max(margin, null.std())


def _split(rows, n_clusters, seed):
    """Return the silhouette of rows, split by k-means of their directions."""
    rows = to_unit_norm(rows)
    model = KMeans(n_clusters, n_init=3, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of rows that coincide
        return judge(rows, model.fit_predict(rows))


def to_unit_norm(rows):
    """Return the directions of rows; zero rows stay zero."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(norms > 0, norms, 1)


def number_by_size(labels):
    """Return clusters numbered by size, the largest 0; of one row, and -1, as -1."""
    names, firsts, inverse, counts = np.unique(
        labels, return_index=True, return_inverse=True, return_counts=True
    )
    counts = np.where(names < 0, 0, counts)
    numbers = np.full(len(names), -1)
    order = np.lexsort((firsts, -counts))[: np.count_nonzero(counts > 1)]
    numbers[order] = np.arange(len(order))
    return numbers[inverse]
