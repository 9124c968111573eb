"""Lists of the pages: `llms.txt` for language models, `sitemap.xml` for search engines.

`llms.txt` has the form of https://llmstxt.org: the name, a summary, and for each part
of the site its pages with their first sentence. A sitemap has whole addresses, and is
written once the site has one, `html_baseurl`.
"""

import re
from pathlib import Path
from xml.etree import ElementTree

from docutils import nodes
from sphinx import addnodes

SENTENCE = re.compile(r".+?[.!?:](?= [A-Z]|$)|.+")


def find_opening(page):
    """Return the first paragraph of a page's text, without notes and tables."""
    outside = (nodes.note, nodes.table, addnodes.only, nodes.footnote)
    for paragraph in page.findall(nodes.paragraph):
        place = paragraph
        while place is not None and not isinstance(place, outside):
            place = place.parent
        if place is None:
            return " ".join(paragraph.astext().split())
    return ""


def find_below(app, name):
    """Return the names of the pages below a page, in the order of the site."""
    children = app.env.toctree_includes.get(name, ())
    return [page for child in children for page in (child, *find_below(app, child))]


def describe_page(app, name):
    """Return the line of `llms.txt` for a page."""
    title = app.env.titles[name].astext()
    address = app.config.html_baseurl + app.builder.get_target_uri(name)
    opening = find_opening(app.env.get_doctree(name))
    sentence = SENTENCE.match(opening)[0].rstrip(":") if opening else ""
    return f"- [{title}]({address})" + (sentence and f": {sentence}")


def write_llms(app):
    """Write `llms.txt`, with a heading for each part of the site."""
    root = app.config.root_doc
    summary = find_opening(app.env.get_doctree(root))
    lines = [f"# {app.config.project}", "", f"> {summary}"]
    for part in app.env.toctree_includes[root]:
        lines += ["", f"## {app.env.titles[part].astext()}", ""]
        lines += [describe_page(app, name) for name in (part, *find_below(app, part))]
    Path(app.outdir, "llms.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_sitemap(app):
    """Write `sitemap.xml`, with the address of each page."""
    space = "http://www.sitemaps.org/schemas/sitemap/0.9"
    pages = ElementTree.Element("urlset", xmlns=space)
    for name in sorted(app.env.found_docs):
        address = app.config.html_baseurl + app.builder.get_target_uri(name)
        page = ElementTree.SubElement(pages, "url")
        ElementTree.SubElement(page, "loc").text = address
    tree = ElementTree.ElementTree(pages)
    tree.write(Path(app.outdir, "sitemap.xml"), encoding="utf-8", xml_declaration=True)


def write_lists(app, exception):
    """Write the lists of pages after a build of the site that succeeded."""
    if exception or app.builder.format != "html":
        return
    write_llms(app)
    if app.config.html_baseurl:
        write_sitemap(app)


def setup(app):
    """Write the lists at the end of a build."""
    app.connect("build-finished", write_lists)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
