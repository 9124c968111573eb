"""Draw the plots of the pages from the tables of measured figures.

``python docs/draw_tables.py`` reads tables of ``docs/rates_measured.rst``,
``docs/robustness_measured.rst`` and ``docs/benchmarks.rst`` by title, and writes
``rates_by_sources.png``, ``robustness.png`` and ``benchmarks.png`` to ``docs/images``.
"""

import csv
import re
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

DOCS = Path(__file__).parent
STYLE = {"font.size": 11, "axes.spines.top": False, "axes.spines.right": False}
COLORS = ("#0072b2", "#d55e00", "#009e73")
MARKERS = "os^"


def read_table(page, title):
    """Return the header and the rows of the csv-table of a page with this title."""
    text = (DOCS / f"{page}.rst").read_text()
    pattern = rf"\.\. csv-table:: {re.escape(title)}\n((?:   :.*\n)+)\n((?:   .+\n)+)"
    options, rows = re.search(pattern, text).groups()
    header = re.search(r":header: (.*)", options)[1]
    lines = [header, *map(str.strip, rows.splitlines())]
    return list(csv.reader(lines, skipinitialspace=True))


def read_cell(cell):
    """Return a share and the value in brackets behind it, NaN where it is absent."""
    numbers = re.findall(r"\d+\.\d+", cell)
    return [float(number) for number in (*numbers, "nan")[:2]]


def draw_rates():
    """Draw shares that are named and accepted over the number of known networks."""
    title = "Unprocessed images by number of known networks, at a stated rate of 1 %"
    header, *rows = read_table("rates_measured", title)
    places = np.arange(len(rows))
    figure, (upper, lower) = plt.subplots(
        2, 1, figsize=(4.8, 5.6), sharex=True, layout="constrained"
    )
    parts = [(upper, "Named, %", 0)] + [
        (lower, name, i)
        for i, name in enumerate(
            ("Other networks, %", "Photographs, %", "Enlargers, %")
        )
    ]
    for axes, name, i in parts:
        cells = [read_cell(row[header.index(name)]) for row in rows]
        mean, worst = np.array(cells).T
        x = places + (axes is lower) * 0.12 * (i - 1)
        style = {"color": COLORS[i], "marker": MARKERS[i]}
        axes.plot(x, mean, label=name.removesuffix(", %"), **style)
        axes.vlines(x, np.minimum(mean, worst), np.maximum(mean, worst), COLORS[i])
    upper.set(title="Known networks: named", ylabel="%", ylim=(0, 100))
    lower.set(title="Others: accepted", ylabel="%", ylim=(0, 18))
    lower.axhline(1, color="gray", linestyle=":", label="stated rate")
    lower.set(xticks=places, xticklabels=[row[0] for row in rows])
    lower.set_xlabel("Number of known networks (thin line: worst draw)")
    lower.legend(loc="upper left", frameon=False, fontsize=10)
    figure.savefig(DOCS / "images" / "rates_by_sources.png", dpi=100)


def draw_robustness():
    """Draw shares named correctly after each perturbation, by three methods."""
    title = "Named correctly after a perturbation, 20 networks"
    header, *rows = read_table("robustness_measured", title)
    places = np.arange(len(rows))[::-1]
    figure, axes = plt.subplots(figsize=(4.8, 7), layout="constrained")
    for i, name in enumerate(header[1:]):
        shares = [float(row[i + 1]) for row in rows]
        label = name.removesuffix(", %")
        axes.plot(shares, places, MARKERS[i], color=COLORS[i], label=label)
    axes.axvline(5, color="gray", linestyle=":", label="chance")
    axes.set(yticks=places, yticklabels=[row[0] for row in rows], xlim=(0, 103))
    axes.set(xlabel="Named correctly, %")
    axes.grid(axis="y", color="#dddddd")
    figure.legend(loc="outside upper center", ncols=2, frameon=False)
    figure.savefig(DOCS / "images" / "robustness.png", dpi=80)


def draw_benchmarks():
    """Draw the speed of each method in multiples of the literal implementation."""
    title = "Speed, in multiples of the literal implementation"
    header, *rows = read_table("benchmarks", title)
    places = np.arange(len(rows))[::-1]
    figure, axes = plt.subplots(figsize=(4.8, 5.6), layout="constrained")
    methods = [(i, name) for i, name in enumerate(header) if i > 1]
    for (i, name), marker, color in zip(
        methods, "osDv", (*COLORS, "#555555"), strict=True
    ):
        speeds = [read_speed(row[i]) for row in rows]
        axes.plot(speeds, places, marker, color=color, label=name)
    axes.axvline(1, color="gray", linestyle=":", label="Literal")
    axes.set(xscale="log", xlabel="Speed, literal implementation = 1")
    axes.set(xticks=[0.1, 1, 10], xticklabels=["0.1", "1", "10"])
    axes.set(yticks=places, yticklabels=[row[0] for row in rows])
    axes.grid(axis="y", color="#dddddd")
    figure.legend(loc="outside upper center", ncols=2, frameon=False)
    figure.savefig(DOCS / "images" / "benchmarks.png", dpi=90)


def read_speed(cell):
    """Return the number of a cell, NaN for a word."""
    number = re.search(r"\d[\d.]*", cell)
    return float(number[0]) if number else np.nan


if __name__ == "__main__":
    with plt.rc_context(STYLE):
        draw_benchmarks()
        draw_rates()
        draw_robustness()
