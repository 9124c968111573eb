"""Progress of long runs: a bar of tqdm where it is installed, lines otherwise."""

from collections.abc import Callable, Iterable, Iterator
from importlib.util import find_spec
from typing import Any

# Lines printed in one run, at most, without a bar.
N_LINES = 10


def track(
    items: Iterable, title: str, verbose: bool | int, total: int | None = None
) -> Iterator:
    """Yield items, and report how many of them are done.

    Parameters
    ----------
    items : iterable
        Units of the work.
    title : str
        Name of the items in the bar or the lines.
    verbose : bool or int
        Whether to report anything.
    total : int, default=None
        Number of items; by default the length of `items`.

    Yields
    ------
    item
    """
    report = make_report(title, len(items) if total is None else total, verbose)
    for number, item in enumerate(items, start=1):
        yield item
        report(number)


def make_report(title: str, total: int, verbose: Any) -> Callable[[int], None]:
    """Make a function that reports a number of items as done."""
    if not verbose:
        return lambda done: None
    if find_spec("tqdm") is None:
        return _make_lines(title, total)
    return _make_bar(title, total)


def _make_lines(title: str, total: int) -> Callable[[int], None]:
    def report(done):
        if done * N_LINES // total > (done - 1) * N_LINES // total:
            print(f"{title}: {done} of {total}", flush=True)

    return report


def _make_bar(title: str, total: int) -> Callable[[int], None]:
    from tqdm.auto import tqdm

    bar = tqdm(desc=title, total=total)

    def report(done):
        bar.update(done - bar.n)
        if done == total:
            bar.close()

    return report
