"""The site lists its pages for language models, and by address for search engines."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PAGES = {
    "index": "Name\n====\n\nWhich source? One\nknown.\n\n.. toctree::\n\n   guide\n",
    "guide": "Guide\n=====\n\n.. note::\n\n   Not this. Nor this.\n\n"
    "Two\nlines: a rate of 2.5, v. 2. N.\n\n.. toctree::\n\n   reference\n   empty\n",
    "reference": "f\n=\n\n.. py:function:: f()\n\n   Compute f.\n\n   More.\n",
    "empty": "Empty\n=====\n",
}
LLMS = """\
# site

> Which source? One known.

## Guide

- [Guide]({0}guide.html): Two lines: a rate of 2.5, v. 2.
- [f]({0}reference.html): Compute f.
- [Empty]({0}empty.html)
"""


@pytest.mark.parametrize("address", ["", "https://docs.example/"])
def test_the_lists_have_every_page(address, tmp_path):
    if importlib.util.find_spec("sphinx") is None:
        pytest.skip("sphinx is not installed (extra docs)")
    for name, text in PAGES.items():
        (tmp_path / f"{name}.rst").write_text(text)
    (tmp_path / "conf.py").write_text(
        f"import sys\nsys.path.insert(0, {str(DOCS)!r})\nproject = 'site'\n"
        f"extensions = ['site_files']\nhtml_baseurl = {address!r}\n"
    )
    command = [sys.executable, "-m", "sphinx", "-q", "-W", tmp_path, tmp_path / "html"]
    subprocess.run(command, check=True)
    assert (tmp_path / "html" / "llms.txt").read_text() == LLMS.format(address)
    sitemap = tmp_path / "html" / "sitemap.xml"
    assert sitemap.exists() == bool(address)
    if address:
        found = [loc.text for loc in ElementTree.parse(sitemap).iter() if loc.text]
        assert found == [f"{address}{name}.html" for name in sorted(PAGES)]
