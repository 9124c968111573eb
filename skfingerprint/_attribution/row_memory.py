"""Rows of images and copies that are kept between fits."""

import warnings

import numpy as np
from sklearn.utils import _safe_indexing

from skfingerprint._core import (
    RAGGED,
    describe,
    hash_image,
    is_stateless,
    list_versions,
    name_rows,
)


class RowMemory:
    """Rows of one fit, read from a store where it has them.

    Rows are looked up image by image and condition by condition. Missing rows are
    computed, and added to the store.

    Parameters
    ----------
    store : RowStore
        Store of rows.
    changes : list of transformers or None
        Perturbation of each condition; None for unprocessed images.
    steps : list of transformers
        Stateless steps that make rows of images. They must be fitted when the first
        rows are looked up.

    Attributes
    ----------
    n_read, n_computed : int
        Numbers of rows that were read from the store, and computed.
    """

    def __init__(self, store, changes, steps):
        self.store, self.changes, self.steps = store, changes, steps
        self.n_read = self.n_computed = 0
        self._names = None
        self._is_writing = True

    def complete(self, images, conditions, compute):
        """Return rows of images under conditions, and compute only those not known.

        Parameters
        ----------
        images : ndarray of shape (n_images, ...), or list of ndarray
            A block of images.
        conditions : sequence of int
            Numbers of the conditions.
        compute : callable
            `compute(parts, conditions)` returns a list of the rows of images under each
            condition.

        Returns
        -------
        rows : list of ndarray of shape (n_images, ...)
            Rows of the images under each condition.
        """
        # Names hold fitted attributes, which the steps have with the first block.
        if self._names is None:
            self._names = _name_conditions(self.changes, self.steps)
        # By pixels: in another fit the image stands at another place.
        keys = [hash_image(np.asarray(image)) for image in images]
        known = self._look_up(keys, conditions)
        missing = {
            condition: [i for i, rows in enumerate(known) if condition not in rows]
            for condition in conditions
        }
        missing = {condition: own for condition, own in missing.items() if own}
        new = [{} for _ in keys]
        parts = [_safe_indexing(images, own) for own in missing.values()]
        computed = compute(parts, missing) if missing else []
        for (condition, own), rows in zip(missing.items(), computed, strict=True):
            for i, row in zip(own, rows, strict=True):
                new[i][condition] = row
        self.n_read += sum(map(len, known))
        self.n_computed += sum(map(len, new))
        self._keep(keys, new)
        rows = [one | other for one, other in zip(known, new, strict=True)]
        return [_stack([row[condition] for row in rows]) for condition in conditions]

    def report(self):
        """Print the numbers of rows, and the size of the store."""
        print(
            f"rows: {self.n_read} read, {self.n_computed} computed; "
            f"{self.store.size() / 2**20:.1f} MiB in {self.store.folder}",
            flush=True,
        )

    def _look_up(self, keys, conditions):
        """Return the known rows of each image, by condition."""
        names = {c: self._names[c] for c in conditions if self._names[c] is not None}
        found = []
        # All rows of an image are in one file, which is opened once.
        for key in keys:
            rows = self.store.get(key, set(names.values())) if names else {}
            found.append({c: rows[name] for c, name in names.items() if name in rows})
        return found

    def _keep(self, keys, new):
        """Add new rows to the store, until it fails: a full disk must not end a fit."""
        for key, rows in zip(keys, new, strict=True):
            named = {self._names[c]: row for c, row in rows.items() if self._names[c]}
            if not (named and self._is_writing):
                continue
            try:
                self.store.put(key, named)
            # The next rows would fail, too, and each with a warning.
            except OSError as error:
                self._is_writing = False
                warnings.warn(
                    f"new rows are not kept: {error}. The fit goes on without.",
                    UserWarning,
                    stacklevel=2,
                )


def _name_conditions(changes, steps):
    """Return the name of the rows of each condition, None for rows that aren't kept.

    One warning names the steps and perturbations whose rows are not kept.

    Parameters
    ----------
    changes, steps
        As in :class:`RowMemory`.

    Returns
    -------
    names : list of str or None
    """
    problems = []
    described = [_describe(step, problems) for step in steps]
    # A perturbation without a name concerns one condition, a step concerns all of them.
    is_kept = None not in described
    common = described, list_versions()
    names = []
    for change in changes:
        own = None if change is None else _describe(change, problems)
        is_known = is_kept and (change is None or own is not None)
        names.append(name_rows(own, *common) if is_known else None)
    if problems:
        warnings.warn(
            f"memory keeps no rows of {', '.join(problems)}: they are computed in each "
            "fit. Functions, and classes of other packages, may change unnoticed.",
            UserWarning,
            stacklevel=2,
        )
    return names


def _describe(step, problems):
    """Describe a step, or return None and add it to the problems."""
    try:
        if not is_stateless(step):
            raise ValueError(type(step).__name__)
        return describe(step)
    except ValueError as error:
        problems.append(str(error))
    return None


def _stack(rows):
    """Stack rows, or raise ValueError for images of several sizes."""
    if len({row.shape for row in rows}) > 1:
        raise ValueError(RAGGED)
    return np.stack(rows)
