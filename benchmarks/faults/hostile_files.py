"""Check that damaged fingerprint files load as they were saved, or are named.

``python -m benchmarks.faults.hostile_files [n_mutations]`` flips every bit of a small
file of each format version and of a detector, one at a time. It makes 20,000 files with
several changed, added, lost or exchanged bytes, and 20,000 more of version 3 with such
changes in one member, whose CRC is right. It loads them and prints a row for each kind:

* right: files that load as they were saved, as if a date has changed.
* named: files that raise a ValueError with their name.
* wrong: files that load as something else. Should be 0.
* escaped: files that raise another error. Should be 0.
* slowest: the longest time of one file, in ms.
"""

import io
import json
import sys
import tempfile
import time
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
from sklearn.pipeline import make_pipeline

from skfingerprint import FingerprintClassifier, FingerprintDetector, ResidualExtractor
from skfingerprint.datasets import make_fingerprint_images
from skfingerprint.files import load_fingerprints, save_fingerprints


def write_example(path, version=3, last=None):
    """Save fingerprints of two sources; return the bytes of the file."""
    images, y = make_fingerprint_images(8, 2, image_shape=(16, 20), random_state=0)
    last = FingerprintClassifier() if last is None else last
    pipeline = make_pipeline(ResidualExtractor("median"), last)
    save_fingerprints(pipeline.fit(images, np.array(["a", "b"])[y]), path)
    if version < 3:
        make_older(path, version)
    return path.read_bytes()


def read_members(path):
    """Return the arrays of a file, without checks, and its notes."""
    with np.load(path) as file:
        content = dict(file)
    return content, json.loads(content.pop("notes").item())


def make_older(path, version):
    """Write a file again as an earlier format version had it."""
    content, notes = read_members(path)
    del notes["sha256"], notes["provenance"]
    notes["format_version"] = version
    if version == 1:
        notes["package_version"] = "0.1.0"
        shape = list(content["fingerprints"].shape[1:])
        for name in ("classifier", "extractor"):
            notes[name]["image_shape"] = shape
    np.savez_compressed(path, notes=np.array(json.dumps(notes)), **content)


def flip_bits(whole):
    """Yield the content of a file with each of its bits flipped."""
    for place in range(8 * len(whole)):
        content = bytearray(whole)
        content[place // 8] ^= 1 << place % 8
        yield bytes(content)


def mutate(whole, n_mutations, random_state=None):
    """Yield the content of a file with one to eight random changes."""
    rng = np.random.default_rng(random_state)
    for _ in range(n_mutations):
        content = bytearray(whole)
        for _ in range(rng.integers(1, 9)):
            start, other = rng.integers(max(len(content), 1), size=2)
            length = rng.integers(1, 17)
            piece = bytes(content[other : other + length])
            kind = rng.integers(5)
            if kind == 0:
                content[start : start + 1] = rng.bytes(1)
            elif kind == 1:
                content[start:start] = rng.bytes(length)
            elif kind == 2:
                del content[start : start + length]
            elif kind == 3:
                content[start : start + length] = piece
            elif rng.random() < 0.1:
                del content[start:]
        yield bytes(content)


def repack(whole, n_mutations, random_state=None):
    """Yield zip files of which one member is changed, and its CRC with it."""
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    n_each = -(-n_mutations // len(members))
    for name, data in members.items():
        for changed in mutate(data, n_each, random_state):
            stream = io.BytesIO()
            with zipfile.ZipFile(stream, "w") as archive:
                for other, content in (members | {name: changed}).items():
                    archive.writestr(other, content)
            yield stream.getvalue()


def describe(path):
    """Return the content that a file loads as, for comparison."""
    estimator, notes = load_fingerprints(path, return_notes=True)
    last = estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator
    state = {
        name: (part.dtype.str, part.shape, part.tobytes())
        if isinstance(part, np.ndarray)
        else repr(part)
        for name, part in last.__getstate__().items()
    }
    return state, type(estimator).__name__, type(last).__name__, notes


def find_outcome(path, expected):
    """Return the outcome of loading a file."""
    try:
        return "right" if describe(path) == expected else "wrong"
    except ValueError as error:
        return "named" if str(path) in str(error) else "escaped"
    except Exception:
        return "escaped"


def count(path, whole, contents):
    """Return how many contents load right, are named, load wrong, or escape."""
    path.write_bytes(whole)
    expected = describe(path)
    numbers = Counter(right=0, named=0, wrong=0, escaped=0, slowest=0)
    with path.open("r+b", buffering=0) as file:
        for content in contents:
            file.seek(0)
            file.write(content)
            file.truncate()
            start = time.perf_counter()
            numbers[find_outcome(path, expected)] += 1
            seconds = time.perf_counter() - start
            numbers["slowest"] = max(numbers["slowest"], round(1000 * seconds))
    return numbers


def main(n_mutations=20_000):
    """Print the table."""
    columns = ("right", "named", "wrong", "escaped", "slowest")
    print(f"{'':24}" + "".join(f"{name:>9}" for name in columns))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "example.npz")
        detector = FingerprintDetector(cv=2)
        for version, last in ((3, detector), (3, None), (2, None), (1, None)):
            whole = write_example(path, version, last)
            kinds = {
                "flips": flip_bits(whole),
                "mutations": mutate(whole, n_mutations, random_state=0),
            }
            if version == 3:
                kinds["members"] = repack(whole, n_mutations, random_state=0)
            for name, contents in kinds.items():
                numbers = count(path, whole, contents)
                row = "".join(f"{numbers[column]:9}" for column in columns)
                title = "detector" if last else f"version {version}"
                print(f"{title}, {name:14}{row}", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
