"""Differences between the headers of classes, which a classifier may learn."""

from collections import Counter

import numpy as np

HISTORY = (
    "classes differ in {}, which is learned as the source; describe_image_folder shows "
    "how."
)
# Formats that are lossy or lossless, as their header tells.
BOTH = ("WEBP", "TIFF", "JPEG2000")
# Percentiles between which the bytes per pixel of a class lie, and the fewest files.
RANGE, FEWEST_FILES = (5, 95), 6
# Largest number of values, or of groups of files, that a finding lists.
SHOWN = 5


def find_differences(headers, classes):
    """Return {property: finding} for the properties in which classes differ."""
    differences = {}
    for name, values in _list_properties(headers).items():
        given = np.array([value is not None for value in values], dtype=bool)
        values = np.array([str(value) for value in values])[given]
        if _depends(values, classes[given]):
            lines = [
                f"{label}: {count_values(values[classes[given] == label])}"
                for label in np.unique(classes[given])
            ]
            differences[name] = list_lines(f"Classes differ in {name}", lines)
    return differences | _compare_ranges(headers, classes)


def _list_properties(headers):
    """Return {property: values} with a value, or None, for each file."""
    return {
        "format": [_name_format(header) for header in headers],
        "JPEG quality": [_name_quality(header) for header in headers],
        "size": [f"{header.height}x{header.width}" for header in headers],
        "mode": [header.mode for header in headers],
        "ICC profile": [header.icc or "none" for header in headers],
        "software": ["named" if header.software else "none" for header in headers],
        "texts": ["present" if header.texts else "none" for header in headers],
        "C2PA": ["present" if header.c2pa else "none" for header in headers],
    }


def _name_format(header):
    """Name the format, and the compression if the format has both."""
    if header.format in BOTH and header.compression:
        return f"{header.format} ({header.compression})"
    return header.format


def _compare_ranges(headers, classes):
    """Return {property: finding} on the numbers of lossy files by format."""
    differences = {}
    names = np.array([_name_number(header) for header in headers], dtype=str)
    for name in sorted(set(names.tolist()) - {""}):
        column = name.split(" of ")[0].replace(" ", "_")
        chosen = names == name
        values = np.array([getattr(header, column) for header in headers])[chosen]
        lines, ranges = [], []
        for label in np.unique(classes[chosen]):
            found = values[classes[chosen] == label]
            low, high = np.percentile(found, RANGE)
            lines.append(f"{label}: {low:.3g} to {high:.3g} ({len(found)})")
            if len(found) >= FEWEST_FILES:
                ranges.append((low, high))
        if ranges and max(low for low, _ in ranges) > min(high for _, high in ranges):
            differences[name] = list_lines(f"Classes differ in {name}", lines)
    return differences


def _name_number(header):
    """Name the number that tells how strongly a file is compressed, or return ""."""
    if header.quantizer == header.quantizer:
        return f"quantizer of {header.format}"
    # A reversible wavelet of JPEG 2000 may be cut off.
    is_lossless = header.compression == "lossless" and header.codec != "5/3"
    return "" if is_lossless or header.tables else f"bytes per pixel of {header.format}"


def _name_quality(header):
    """Return quality and subsampling of a JPEG image as text, None for others."""
    if not header.tables:
        return None
    known = not np.isnan(header.quality)
    quality = f"{header.quality:.0f}" if known else f"tables {header.tables}"
    return f"{quality} {header.subsampling}".strip()


def _depends(values, classes):
    """Check whether the values of classes differ significantly, and not by a trace."""
    from scipy.stats import chi2_contingency

    levels, columns = np.unique(values, return_inverse=True)
    names, rows = np.unique(classes, return_inverse=True)
    if min(len(levels), len(names)) < 2:
        return False
    table = np.zeros((len(names), len(levels)))
    np.add.at(table, (rows, columns), 1)
    test = chi2_contingency(table)
    # With many files tiny differences are significant too; Cramér's V measures their
    # size, from 0 to 1.
    strength = np.sqrt(test.statistic / len(values) / (min(table.shape) - 1))
    # Classes whose files are all alike need fewer files as evidence.
    pure = (np.count_nonzero(table, axis=1) == 1).all()
    return bool(test.pvalue < (0.01 if pure else 0.001) and strength >= 0.1)


def count_values(values):
    """Return the most frequent values and their numbers as text."""
    counts = Counter(values.tolist()).most_common()
    more = [f"{len(counts) - SHOWN} others"] if len(counts) > SHOWN else []
    return ", ".join([f"{v} ({n})" for v, n in counts[:SHOWN]] + more)


def list_lines(head, lines):
    """Return a heading with indented lines below it."""
    return "\n  ".join([f"{head}:", *lines])
