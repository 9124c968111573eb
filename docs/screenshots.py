"""Open every page of the built site in Chromium, and look for what is wrong with it.

Run `python docs/screenshots.py docs/_build/html pictures` after `sphinx-build -E`: a
build without `-E` loses index entries of unchanged pages. Each page is opened at three
widths, light and dark. It fails if a page is wider than the window, if a block is cut
off without a scroll bar, if a picture is missing, if a page asks another host for
anything, or if the site's search does not find what it should. Pictures of the pages in
`SHOWN` are written to the second folder.
"""

import argparse
import base64
import contextlib
import fcntl
import functools
import http.server
import json
import os
import shutil
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import quote

WIDTHS = (390, 1280, 1920)
SCHEMES = ("light", "dark")
SHOWN = (
    "index",
    "five_minutes",
    "user_guide",
    "which_method",
    "faq",
    "combining",
    "unknown_sources",
    "reproducing",
    "whats_new",
    "gallery/index",
    "gallery/plot_source_identification",
    "gallery/forensics/plot_unknown_sources",
    "api",
    "api/generated/skfingerprint.FingerprintClassifier",
    "api/generated/skfingerprint.plotting.ContributionDisplay",
)
# A reader's words, and the page that must come first: it has an index entry for each.
SEARCHES = {
    "gpu": "faq",
    "opencv": "faq",
    "explain": "why",
    "heatmap": "why",
    "SDXL": "modern",
    "diffusion": "modern",
    "FLUX": "modern",
    "GPT": "modern",
    "video": "modern",
    "pandas": "input_shapes",
    "unknown": "unknown_sources",
    "camera": "gan_or_camera",
    "splice": "where",
    "memory": "large_collections",
    "cache": "large_collections",
    "add a source": "large_collections",
    "likelihood ratio": "reporting",
    "report": "reporting",
    "watermark": "what_is_a_source",
    "mirror": "robustness",
    "resize": "robustness",
    "HEIC": "robustness",
    "JPEG XL": "robustness",
    "command line": "command_line",
    "attack": "fooled",
}
# Blocks that stick out of the text, and have no bar to scroll by.
FIND_FAULTS = """(() => {
    const faults = [], root = document.scrollingElement;
    if (root.scrollWidth > root.clientWidth)
        faults.push(`page is ${root.scrollWidth} px wide`);
    const text = document.querySelector(".bd-article-container");
    if (text && text.scrollWidth > text.clientWidth + 1)
        faults.push(`text is ${text.scrollWidth} px wide, not ${text.clientWidth}`);
    const scrolls = e => !e.contains(text)
        && ["auto", "scroll"].includes(getComputedStyle(e).overflowX);
    const blocks = ":is(pre, table, math, img, h1, h2, h3, p, dt, code, a)";
    const places = ":is(article, .bd-sidebar-primary, .bd-sidebar-secondary)";
    for (const e of document.querySelectorAll(`${places} ${blocks}`)) {
        const box = e.getBoundingClientRect(), style = getComputedStyle(e);
        if (!box.width || e.closest(".sr-only, .visually-hidden")) continue;
        let outer = e;
        while (outer && !scrolls(outer)) outer = outer.parentElement;
        const name = `${e.tagName} "${e.textContent.trim().slice(0, 40)}"`;
        const end = box.left + Math.max(box.width, e.scrollWidth);
        if (!outer && end > root.clientWidth + 1) faults.push(`${name} is cut`);
        if (style.overflowX == "hidden" && e.scrollWidth > e.clientWidth + 1)
            faults.push(`${name} hides a part`);
        if (e.tagName == "IMG" && e.complete && !e.naturalWidth)
            faults.push(`${e.src} is missing`);
    }
    return faults;
})()"""
FIND_FIRST = """(() => {
    const link = document.querySelector("#search-results li a");
    const done = document.querySelector("#search-results p.search-summary");
    return link && done ? link.href : null;
})()"""


class Browser:
    """Chromium, by the DevTools protocol over a pair of pipes."""

    def __init__(self, command, profile):
        their_in, self._out = (self._move(fd) for fd in os.pipe())
        self._in, their_out = (self._move(fd) for fd in os.pipe())

        def connect():
            os.dup2(their_in, 3)
            os.dup2(their_out, 4)

        flags = "--headless=new --no-sandbox --disable-gpu --remote-debugging-pipe"
        more = "--disable-background-networking --no-first-run"
        self.process = subprocess.Popen(
            [command, *flags.split(), *more.split(), f"--user-data-dir={profile}"],
            preexec_fn=connect,
            pass_fds=(3, 4),
            stderr=subprocess.DEVNULL,
        )
        os.close(their_in)
        os.close(their_out)
        self._rest, self._number, self._session = b"", 0, None
        self.events = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Network", "Runtime"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setScrollbarsHidden", hidden=False)

    @staticmethod
    def _move(fd):
        """Move a descriptor out of the way of those that Chromium reads and writes."""
        moved = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 20)
        os.close(fd)
        return moved

    def _read(self):
        while b"\0" not in self._rest:
            part = os.read(self._in, 1 << 20)
            if not part:
                raise RuntimeError("Chromium has ended.")
            self._rest += part
        message, self._rest = self._rest.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, **params):
        """Call a method, and return what it answers."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]
            self.events.append(answer)

    def evaluate(self, script):
        """Return the value of an expression in the page."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"]["exception"]["description"])
        return answer["result"].get("value")

    def wait_for(self, script, seconds=20):
        """Return the first value of an expression that is true."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if value := self.evaluate(script):
                return value
            time.sleep(0.05)
        return None

    def open(self, address):
        """Open a page, and return the addresses that it asked for."""
        self.events.clear()
        self.call("Page.navigate", url=address)
        complete = f"location.href == {address!r} && document.readyState == 'complete'"
        if not self.wait_for(complete):
            raise RuntimeError(f"{address} did not load.")
        return [
            event["params"]["request"]["url"]
            for event in self.events
            if event.get("method") == "Network.requestWillBeSent"
        ]

    def look(self, width, scheme):
        """Set the window's width, and the color scheme."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=1000,
            deviceScaleFactor=1,
            mobile=False,
        )
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.call("Emulation.setEmulatedMedia", features=[feature])

    def photograph(self, path):
        """Write a picture of the window."""
        picture = self.call("Page.captureScreenshot", format="png")["data"]
        path.write_bytes(base64.b64decode(picture))


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serve files without a word."""

    def log_message(self, *args):
        """Say nothing."""


@contextlib.contextmanager
def serve(folder):
    """Serve a folder on this machine, and give its address."""
    handler = functools.partial(QuietHandler, directory=folder)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


def check_page(browser, address, page, pictures):
    """Return what is wrong with a page at any width and in any scheme."""
    requests = browser.open(f"{address}{page}.html")
    faults = {
        f"{page}: asks {url[:80]}"
        for url in requests
        if not url.startswith((address, "data:", "blob:"))
    }
    browser.evaluate("document.querySelectorAll('img').forEach(i => i.loading='eager')")
    browser.wait_for("[...document.images].every(image => image.complete)")
    for width in WIDTHS:
        for scheme in SCHEMES:
            browser.look(width, scheme)
            found = browser.evaluate(FIND_FAULTS)
            faults |= {f"{page} at {width} px: {fault}" for fault in found}
            if page in SHOWN and pictures:
                time.sleep(0.4)  # colors fade from scheme to scheme
                name = f"{page.replace('/', '-')}_{width}_{scheme}.png"
                browser.photograph(pictures / name)
    return sorted(faults)


def check_search(browser, address, word, page):
    """Return what is wrong with the answers of the site's search."""
    browser.open(f"{address}search.html?q={quote(word)}")
    first = browser.wait_for(FIND_FIRST) or "nothing"
    found = first.removeprefix(address).partition("?")[0].partition("#")[0]
    wanted = f"{page}.html"
    return [] if found == wanted else [f"search for {word}: {found}, not {wanted}"]


def main():
    """Check the site that is named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("site", type=Path)
    parser.add_argument("pictures", type=Path, nargs="?")
    parser.add_argument("--chromium", default="chromium")
    parser.add_argument("--only", help="pages whose names hold this, and no searches")
    options = parser.parse_args()
    command = shutil.which(options.chromium)
    if command is None:
        parser.error(f"{options.chromium} was not found: install it, or name another")
    if options.pictures:
        options.pictures.mkdir(parents=True, exist_ok=True)
    pages = sorted(
        path.relative_to(options.site).with_suffix("").as_posix()
        for path in options.site.rglob("*.html")
        if "_static" not in path.parts
    )
    pages = [page for page in pages if not options.only or options.only in page]
    searches = {} if options.only else SEARCHES
    faults = []
    with tempfile.TemporaryDirectory() as profile, serve(options.site) as address:
        browser = Browser(command, profile)
        try:
            for page in pages:
                faults += check_page(browser, address, page, options.pictures)
            for word, page in searches.items():
                faults += check_search(browser, address, word, page)
        finally:
            browser.process.terminate()
            browser.process.wait()
    print(*faults, sep="\n")
    looks = f"{len(WIDTHS)} widths x {len(SCHEMES)} schemes"
    print(
        f"{len(pages)} pages x {looks}, {len(searches)} searches, {len(faults)} faults"
    )
    raise SystemExit(bool(faults))


if __name__ == "__main__":
    main()
