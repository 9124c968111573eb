"""Graphs of shared neighbors, their communities, and whether rows are of one kind."""

import numpy as np
from scipy import sparse
from sklearn.preprocessing import normalize

from skfingerprint._clustering.single_source import are_several, judge
from skfingerprint._core import needs_extra

# Rows that silhouettes are taken of, and that the null is drawn for, at most.
MAX_JUDGED = 2000
MAX_TESTED = 500


def find_sources(rows, ks, most, n_drawn, resolution, test_single, rng):
    """Return a label for each row, and the best number of neighbors of `ks`.

    Of these `most` is the largest. So many rows are drawn and sorted, and the others
    join them.
    """
    places = draw_places(len(rows), n_drawn, rng)
    tested = rows[places[draw_places(n_drawn, MAX_TESTED, rng)]]
    units = normalize(rows)
    drawn = units[places]
    found, k = _find_best(drawn, ks, most, resolution, rng)
    sizes = dict.fromkeys((2, int(found.max()) + 1))
    if test_single and not any(are_several(tested, n, rng) for n in sizes if n > 1):
        return np.zeros(len(rows), dtype=np.intp), k
    if n_drawn == len(rows):
        return found, k
    return _join_neighbors(units, places, found, k), k


def _join_neighbors(units, places, found, k):
    """Give each row that was not drawn the label of most of its drawn neighbors."""
    from sklearn.neighbors import KNeighborsClassifier

    model = KNeighborsClassifier(k, algorithm="brute").fit(units[places], found)
    labels = model.predict(units)
    labels[places] = found
    return labels


def _find_best(rows, ks, most, resolution, rng):
    """Return the communities of largest silhouette, and their number of neighbors."""
    judged = draw_places(len(rows), MAX_JUDGED, rng)
    seed = int(rng.integers(2**31))
    neighbors = find_neighbors(rows, most)
    best = -2.0, None, None
    for k in ks:
        labels = find_communities(neighbors[:, :k], resolution, seed)
        score = judge(rows[judged], labels[judged])
        if score > best[0]:
            best = score, labels, k
    return best[1:]


def find_neighbors(rows, n_neighbors):
    """Search the other rows nearest to each row, nearest first.

    Among rows of unit norm they are those with the largest cosine.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_features)
        Rows of unit norm.
    n_neighbors : int
        Number of neighbors, less than `n_rows`.

    Returns
    -------
    neighbors : ndarray of shape (n_rows, n_neighbors), int
    """
    from sklearn.neighbors import NearestNeighbors

    model = NearestNeighbors(n_neighbors=n_neighbors, algorithm="brute").fit(rows)
    return model.kneighbors(return_distance=False)


def weigh_edges(neighbors):
    """Compute the edges of the neighbor graph, and the overlap of neighborhoods.

    The weight of an edge is the Jaccard index of the neighborhoods of its two ends,
    each of which contains its own row.

    Parameters
    ----------
    neighbors : ndarray of shape (n_rows, k), int
        Neighbors of each row.

    Returns
    -------
    first, second : ndarray of shape (n_edges,), int
        Ends of the edges, ``first < second``.
    weights : ndarray of shape (n_edges,)
        In (0, 1].
    """
    n_rows, k = neighbors.shape
    ends = np.arange(0, n_rows * k + 1, k)
    ones = np.ones(n_rows * k, dtype=np.float32)
    graph = sparse.csr_array((ones, neighbors.ravel(), ends), shape=(n_rows, n_rows))
    hoods = graph + sparse.eye_array(n_rows, dtype=np.float32)
    edges = sparse.triu(graph + graph.T, k=1) > 0
    # The ends of an edge share at least one of themselves, so that no edge is lost.
    shared = edges.multiply(hoods @ hoods.T).tocsr().sorted_indices().tocoo()
    return *shared.coords, shared.data / (2 * (k + 1) - shared.data)


def find_communities(neighbors, resolution, seed):
    """Return the community of each row, by Louvain's method."""
    with needs_extra("cluster", "communities need networkx"):
        import networkx
    graph = networkx.Graph()
    graph.add_nodes_from(range(len(neighbors)))
    edges = (values.tolist() for values in weigh_edges(neighbors))
    graph.add_weighted_edges_from(zip(*edges, strict=True))
    labels = np.empty(len(neighbors), dtype=np.intp)
    found = networkx.community.louvain_communities(
        graph, resolution=resolution, seed=seed
    )
    for number, members in enumerate(found):
        labels[list(members)] = number
    return labels


def draw_places(n_rows, most, rng):
    """Return the sorted places of at most so many rows."""
    if n_rows <= most:
        return np.arange(n_rows)
    return np.sort(rng.choice(n_rows, most, replace=False))


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
