"""Configuration of the documentation, built with ``sphinx-build -W -n``."""

import ast
import re
import sys
import tomllib
from pathlib import Path

from docutils import nodes
from threadpoolctl import threadpool_limits

import skfingerprint

# Threads of BLAS that wait for each other take more time than the gallery's examples.
threadpool_limits(1, "blas")
sys.path.insert(0, str(Path(__file__).parent))


def find_names_in_examples():
    """Return the names of this package that the examples import or link."""
    names = set()
    for path in (Path(__file__).parents[1] / "examples").rglob("*.py"):
        text = path.read_text()
        names.update(re.findall(r"~skfingerprint[\w.]*?\.(\w+)`", text))
        for node in ast.walk(ast.parse(text)):
            module = getattr(node, "module", None) or ""
            if module.partition(".")[0] == "skfingerprint":
                names.update(alias.name for alias in node.names)
    return names


def read_address():
    """Return the address of the documentation in pyproject.toml; empty without one."""
    text = (Path(__file__).parents[1] / "pyproject.toml").read_text()
    address = tomllib.loads(text)["project"]["urls"].get("Documentation", "")
    return address and address.rstrip("/") + "/"


project = "skfingerprint"
author = "the skfingerprint developers"
copyright = f"2026, {author}"
version = release = skfingerprint.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.extlinks",
    "mathml",
    "numpydoc",
    "site_files",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "gallery/**/GALLERY_HEADER.rst"]
extlinks = {"doi": ("https://doi.org/%s", "doi:%s")}
default_role = "literal"
nitpicky = True
toc_object_entries_show_parents = "hide"
autosummary_generate = True
autosummary_context = {"names_in_examples": find_names_in_examples()}
html_math_renderer = "mathml"
autodoc_default_options = {
    "members": True,
    "inherited-members": "dict, object",  # without the methods of these two
    "exclude-members": "get_metadata_routing, score, set_fit_request, set_output, "
    "set_partial_fit_request, set_score_request",
}
numpydoc_show_class_members = False
suppress_warnings = ["config.cache"]  # functions in sphinx_gallery_conf

html_static_path = ["_static"]
html_css_files = ["wide.css"]
html_theme = "pydata_sphinx_theme"
html_title = project
html_logo = "_static/logo.svg"
html_favicon = "_static/favicon.svg"
html_show_sourcelink = False
html_baseurl = read_address()  # of the canonical links, and of sitemap.xml
html_theme_options = {
    "logo": {"text": project},
    "show_prev_next": True,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "pygments_light_style": "a11y-high-contrast-light",
}
html_sidebars = {
    "index": [],
    "whats_new": [],
    "contributing": [],
    "api": ["reference-groups"],
    "api/generated/*": ["reference-groups"],
}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "subsection_order": [
        f"../examples/{theme}"
        for theme in ("first_steps", "choices", "forensics", "pipelines")
    ],
    "within_subsection_order": "FileNameSortKey",
    "backreferences_dir": "gallery/backreferences",
    "doc_module": ("skfingerprint",),
    "reference_url": {"skfingerprint": None},
    "image_scrapers": ("matplotlib",),
    "image_srcset": ["2x"],
    "remove_config_comments": True,
    "show_memory": False,
    "download_all_examples": False,
    "write_computation_times": False,
    "plot_gallery": "True",
    "abort_on_example_error": True,
}


GENERATED_PAGES = {
    "sklearn": "https://scikit-learn.org/stable/modules/generated/",
    "scipy": "https://docs.scipy.org/doc/scipy/reference/generated/",
}


def link_elsewhere(app, env, node, contnode):
    """Link names of other packages to their sites, without inventories: offline."""
    target = node.get("reftarget", "")
    if target == "metadata_routing":  # in docstrings that a Pipeline inherits
        uri = "https://scikit-learn.org/stable/metadata_routing.html"
        return nodes.reference("", "", contnode, internal=False, refuri=uri)
    address = GENERATED_PAGES.get(target.partition(".")[0])
    if address is None:
        return None
    page = target.rpartition(".")[0] if node.get("reftype") == "meth" else target
    uri = f"{address}{page}.html"
    return nodes.reference("", "", contnode, internal=False, refuri=uri)


def read_reference_groups():
    """Return the names that the reference lists, with their pages, by heading."""
    groups, module, before = {}, "", ""
    for line in (Path(__file__).parent / "api.rst").read_text().splitlines():
        if re.fullmatch("=+", line):
            groups[before] = {}
        elif match := re.match(r"\.\. currentmodule:: (\S+)", line):
            module = match[1]
        elif match := re.match(r"   (\w+)$", line):
            groups[list(groups)[-1]][match[1]] = f"api/generated/{module}.{match[1]}"
        before = line
    return [(title, pages) for title, pages in groups.items() if pages]


def add_reference_groups(app, pagename, templatename, context, doctree):
    """Give the sidebar of the reference its groups."""
    context["reference_groups"] = read_reference_groups()


CODE = nodes.literal, nodes.FixedTextElement


def keep_percent_signs(app, doctree):
    """Keep a number and its percent sign on one line, in narrow columns too."""
    for text in list(doctree.findall(nodes.Text)):
        joined = re.sub(r"(?<=\d) (?=%)", "\N{NO-BREAK SPACE}", text)
        if joined != text and not isinstance(text.parent, CODE):
            text.parent.replace(text, nodes.Text(joined))


def setup(app):
    """Connect the links, the percent signs and the sidebar of the reference."""
    app.connect("missing-reference", link_elsewhere)
    app.connect("doctree-read", keep_percent_signs)
    app.connect("html-page-context", add_reference_groups)
