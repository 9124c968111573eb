"""Progress of long runs: bars of tqdm or lines, and callbacks of scikit-learn."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from importlib.util import find_spec
from typing import Any

try:
    from sklearn.callback import with_callbacks
except ImportError:  # scikit-learn before 1.9

    def with_callbacks(method: Callable) -> Callable:
        """Return the method as it is, since there are no callbacks to tear down."""
        return method


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


def clear_bars(*, close: bool) -> None:
    """End the bars that are shown, or erase them for a message until they go on."""
    # Without the module there are no bars, and its import takes time.
    module = sys.modules.get("tqdm.auto")
    for bar in list(getattr(module and module.tqdm, "_instances", ())):
        if close:
            bar.close()
        else:
            bar.clear()


@contextmanager
def follow_fit(
    estimator: Any, method: str, n_tasks: int, **data: Any
) -> Iterator[Callable]:
    """Report a fit and its tasks to the callbacks of an estimator.

    Methods decorated by `with_callbacks` may use it, once in a call: the decorator
    tears the callbacks down, after errors as well. Nothing happens before scikit-learn
    1.9, which has no callbacks.

    Parameters
    ----------
    estimator : estimator
        The estimator that is being fitted.
    method : {"fit", "fit_transform", "fit_predict"}
        The method that is running.
    n_tasks : int
        Number of its tasks.
    **data
        `X` and `y` of the fit, for callbacks that take them.

    Yields
    ------
    run_task : callable
        `run_task(name, part=None)` is a context in which a task runs. Callbacks are
        passed on to the part, an estimator that the task fits, until the task ends.
    """
    if not hasattr(estimator, "_init_callback_context"):
        yield lambda name, part=None: nullcontext()
        return
    name = method.replace("_", "-")
    fit = estimator._init_callback_context(name, max_subtasks=n_tasks)

    @contextmanager
    def run_task(name, part=None):
        task = fit.subcontext(name)
        is_own = part is None
        with nullcontext() if is_own else task.propagate_callback_context(part):
            task.call_on_fit_task_begin(estimator=estimator, **data)
            yield
            task.call_on_fit_task_end(estimator=estimator, **data)

    fit.call_on_fit_task_begin(estimator=estimator, **data)
    yield run_task
    fit.call_on_fit_task_end(estimator=estimator, **data)


def follow_blocks(read: Callable, run_task: Callable) -> Callable:
    """Make the first reading of each block a task of `follow_fit`."""
    seen = set()

    def follow(k):
        # Blocks may be read again, but the number of tasks is given in advance.
        is_new = k not in seen
        seen.add(k)
        with run_task("block") if is_new else nullcontext():
            return read(k)

    return follow
