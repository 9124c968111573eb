"""Graphs of shared neighbors, and their communities."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from sklearn.preprocessing import normalize

from skfingerprint._clustering.single_source import are_several, judge
from skfingerprint._core import needs_extra

# Bounds of the rows of a silhouette, whose time grows with their square, and of the
# rows that are tested, with 21 silhouettes for each number of clusters.
MAX_JUDGED = 2000
MAX_TESTED = 500


@dataclass(frozen=True)
class Reference:
    """Rows that were drawn and clustered, which other rows are compared with.

    Attributes
    ----------
    rows : ndarray of shape (n_drawn, n_features), float32
        Different rows, not 0.
    communities : ndarray of shape (n_drawn,), int
        Community of each row.
    n_neighbors : int
        Number of neighbors among them that vote.
    numbers : ndarray of shape (n_communities,), int
        Number of the cluster of each community; -1 if a row is alone in it.
    """

    rows: np.ndarray
    communities: np.ndarray
    n_neighbors: int
    numbers: np.ndarray


def find_sources(rows, ks, most, n_drawn, resolution, test_single, rng):
    """Cluster rows by the communities of a graph of shared neighbors.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_features)
        Different rows, not 0.
    ks : iterable of int
        Numbers of neighbors to choose from, in rising order.
    most : int
        The largest of them, less than `n_drawn`.
    n_drawn : int
        Number of rows that are drawn and clustered; the other rows join them.
    resolution : float
        Resolution of the modularity.
    test_single : bool
        Whether to test for a single source.
    rng : numpy.random.Generator
        Draws the rows, and the seeds of communities and of the test.

    Returns
    -------
    labels : ndarray of shape (n_rows,), int
        Number of the cluster of each row.
    k : int
        The chosen number of neighbors.
    places : ndarray of shape (n_drawn,), int
        Indices of the rows that were drawn.
    """
    places = draw_places(len(rows), n_drawn, rng)
    # The test compares with Gaussian rows, and so takes rows before they are scaled.
    tested = rows[places[draw_places(n_drawn, MAX_TESTED, rng)]]
    units = normalize(rows)
    drawn = units[places]
    found, k = _find_best(drawn, ks, most, resolution, rng)
    # One split that is better than chance suffices: in two, or in as many parts as
    # there are communities. Each number is tested once.
    sizes = dict.fromkeys((2, int(found.max()) + 1))
    if test_single and not any(are_several(tested, n, rng) for n in sizes if n > 1):
        return np.zeros(len(rows), dtype=np.intp), k, places
    if n_drawn == len(rows):
        return found, k, places
    labels = join_neighbors(units, drawn, found, k)
    # A drawn row is a neighbor of itself here, and keeps its own cluster in any case.
    labels[places] = found
    return labels, k, places


def join_neighbors(units, drawn, found, k):
    """Assign rows to the clusters of most of their nearest neighbors.

    Parameters
    ----------
    units : ndarray of shape (n_rows, n_features)
        Rows of unit norm.
    drawn : ndarray of shape (n_drawn, n_features)
        Rows of unit norm that were clustered.
    found : ndarray of shape (n_drawn,), int
        Their clusters.
    k : int
        Number of neighbors among them.

    Returns
    -------
    labels : ndarray of shape (n_rows,), int
    """
    from sklearn.neighbors import KNeighborsClassifier

    model = KNeighborsClassifier(k, algorithm="brute").fit(drawn, found)
    return model.predict(units)


def find_clusters(rows, reference):
    """Find the cluster of new rows by the rule by which rows that were not drawn join.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_features)
        Rows; a row of zeros belongs to no cluster.
    reference : Reference
        The rows that were drawn.

    Returns
    -------
    labels : ndarray of shape (n_rows,), int
        Numbers of clusters, or -1.
    """
    rows = rows.astype(np.float32, copy=False)
    labels, present = np.full(len(rows), -1), rows.any(axis=1)
    if not present.any() or not len(reference.rows):
        return labels
    drawn, communities = reference.rows, reference.communities
    given = normalize(drawn), communities, reference.n_neighbors
    found = join_neighbors(normalize(rows[present]), *given)
    # A row that was drawn keeps its own cluster, as in the fit.
    own = {row.tobytes(): k for row, k in zip(drawn, communities, strict=True)}
    pairs = zip(rows[present], found, strict=True)
    found = [own.get(row.tobytes(), community) for row, community in pairs]
    labels[present] = reference.numbers[found]
    return labels


def _find_best(rows, ks, most, resolution, rng):
    """Choose the number of neighbors whose communities have the largest silhouette.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_features)
        Rows of unit norm.
    ks, most, resolution, rng
        As in :func:`find_sources`.

    Returns
    -------
    labels : ndarray of shape (n_rows,), int
        Communities.
    k : int
        Their number of neighbors.
    """
    judged = draw_places(len(rows), MAX_JUDGED, rng)
    seed = int(rng.integers(2**31))
    # The nearest k neighbors are the first k of the nearest `most`: one search will do.
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

    Among rows of unit norm they are those with the largest cosine, since
    ``|x - y|^2 = 2 - 2 cos(x, y)``.

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
    # Without an argument, a row is not a neighbor of itself.
    return model.kneighbors(return_distance=False)


def weigh_edges(neighbors):
    """Compute the edges of the neighbor graph, and the overlap of neighborhoods.

    The weight of an edge is the Jaccard index of the neighborhoods A and B of its two
    ends, each of which contains its own row: ``|A & B| / |A | B|``.

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
    # Being a neighbor is not mutual: one direction makes an edge.
    edges = sparse.triu(graph + graph.T, k=1) > 0
    # Row i of `hoods` marks the neighborhood of i, so that products count shared rows.
    # The ends of an edge share at least one of themselves, so that no edge is lost.
    shared = edges.multiply(hoods @ hoods.T).tocsr().sorted_indices().tocoo()
    # |A | B| = |A| + |B| - |A & B|, and each neighborhood has k + 1 rows.
    return *shared.coords, shared.data / (2 * (k + 1) - shared.data)


def find_communities(neighbors, resolution, seed):
    """Search communities of the graph of shared neighbors by Louvain's method.

    A community has more weight inside than edges at random between rows of the same
    degrees would have. Their number follows from the graph.

    Parameters
    ----------
    neighbors : ndarray of shape (n_rows, k), int
        Neighbors of each row.
    resolution : float
        Factor of the weight at random in the modularity: the larger, the more
        communities.
    seed : int
        Seed of the order in which rows move between communities.

    Returns
    -------
    labels : ndarray of shape (n_rows,), int
        Number of the community of each row.
    """
    with needs_extra("cluster", "communities need networkx"):
        import networkx
    graph = networkx.Graph()
    # In order, since the result for a seed depends on the order of the nodes.
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
    """Draw sorted indices of at most so many rows."""
    if n_rows <= most:
        return np.arange(n_rows)
    return np.sort(rng.choice(n_rows, most, replace=False))
