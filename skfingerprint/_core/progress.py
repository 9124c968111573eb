"""How far a long run is: a bar by tqdm where it is installed, lines otherwise."""

from importlib.util import find_spec

# Lines that are printed of one run, at most, where there is no bar.
N_LINES = 10


def track(items, title, verbose, total=None):
    """Yield items, and tell how many of them are done.

    Parameters
    ----------
    items : iterable
        What is worked on.
    title : str
        What it is, in the bar or the lines.
    verbose : bool or int
        Whether to tell anything.
    total : int, default=None
        Number of items; by default their length.

    Yields
    ------
    item
    """
    report = make_report(title, len(items) if total is None else total, verbose)
    for number, item in enumerate(items, start=1):
        yield item
        report(number)


def make_report(title, total, verbose):
    """Return a function that is called with the number of items that are done."""
    if not verbose:
        return lambda done: None
    if find_spec("tqdm") is None:
        return _make_lines(title, total)
    return _make_bar(title, total)


def _make_lines(title, total):
    def report(done):
        if done * N_LINES // total > (done - 1) * N_LINES // total:
            print(f"{title}: {done} of {total}", flush=True)

    return report


def _make_bar(title, total):
    from tqdm.auto import tqdm

    bar = tqdm(desc=title, total=total)

    def report(done):
        bar.update(done - bar.n)
        if done == total:
            bar.close()

    return report
