"""Warnings about image files whose pixels do not mean the same."""

import numpy as np

from skfingerprint._images.differences import count_values

# Bits of values that are stored right-aligned in 16 bits.
FEW_BITS = (8, 10, 12, 14)


def find_mixed_sizes(headers, labels):
    """Return a text if whole images of one class differ in size or orientation.

    Their central parts show different parts of a sensor.
    """
    sizes = np.array([f"{header.height}x{header.width}" for header in headers])
    parts = [
        f"{label}: {count_values(sizes[labels == label])}"
        for label in np.unique(labels)
        if len(np.unique(sizes[labels == label])) > 1
    ]
    if not parts:
        return []
    return [
        "whole images differ in size or orientation, and are cut to one part, which "
        "lies at different places of a sensor. For cameras, and wherever place "
        "matters, load each size by itself:\n  " + "\n  ".join(parts)
    ]


def find_few_bits(headers, labels, read):
    """Return a text for classes whose values of 16 bits use fewer bits.

    Images are read until one is bright.

    Parameters
    ----------
    headers : list of Header of length n_files
        Headers of the files.
    labels : ndarray of shape (n_files,)
        Class of each file.
    read : callable
        Function that returns the pixels of the file with a number, as uint8.

    Returns
    -------
    texts : list of str
        One text, or none.
    """
    is_wide = np.array([header.bits == 16 for header in headers], dtype=bool)
    parts = []
    for label in np.unique(labels[is_wide]):
        largest = 0
        for number in np.flatnonzero(is_wide & (labels == label)):
            largest = max(largest, read(number).max(initial=0))
            if largest >> (FEW_BITS[-1] - 8):
                break
        else:
            n_bits = next(n for n in FEW_BITS if not largest >> (n - 8))
            parts.append(f"{label}: {n_bits} bits, factor {2 ** (16 - n_bits)}")
    if not parts:
        return []
    return [
        "values of 16-bit files use fewer bits, so that the images are nearly black. "
        "Nothing was scaled: multiply the values by the factor and save the files "
        "anew, or leave them out:\n  " + "\n  ".join(parts)
    ]
