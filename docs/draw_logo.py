"""Draw the logo and the favicon from the fingerprint of a network.

Run `python docs/draw_logo.py`. The dots of the logo are pixels of the fingerprint of
`srgan-gan`, in the shape of a fingertip: the larger a dot, the brighter the pixel.
The favicon is the middle of the logo.
"""

from pathlib import Path

import numpy as np

from skfingerprint import ResidualExtractor
from skfingerprint.datasets import load_generators

FOLDER = Path(__file__).parent / "_static"
COLOR = "#2f8fd0"  # seen well on white and on black


def measure_fingerprint(source, size):
    """Return the fingerprint of a network in 0..1, of shape (size, size)."""
    data = load_generators()
    own = data.images[data.target_names[data.target] == source]
    fingerprint = ResidualExtractor().transform(own).mean(axis=(0, 3))
    start = (len(fingerprint) - size) // 2
    middle = fingerprint[start : start + size, start : start + size]
    low, high = np.quantile(middle, (0.1, 0.9))
    return ((middle - low) / (high - low)).clip(0, 1)


def draw_dots(pixels, width):
    """Return an SVG picture of the pixels inside of an oval.

    Parameters
    ----------
    pixels : ndarray of shape (height, height), in 0..1
        Brightness of each dot.
    width : int
        Width of the oval, in pixels.
    """
    height = len(pixels)
    left = (height - width) // 2
    dots = []
    for row, column in np.ndindex(height, width):
        x, y = column + 0.5 - width / 2, row + 0.5 - height / 2
        if (x / width) ** 2 + (y / height) ** 2 <= 0.25:
            radius = 0.12 + 0.38 * pixels[row, left + column]
            dots.append(f'<circle cx="{x:g}" cy="{y:g}" r="{radius:.2f}"/>')
    box = f"{-height / 2:g} {-height / 2:g} {height} {height}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}" fill="{COLOR}">\n'
        + "\n".join(dots)
        + "\n</svg>\n"
    )


def main():
    """Write both pictures."""
    pixels = measure_fingerprint("srgan-gan", 20)
    (FOLDER / "logo.svg").write_text(draw_dots(pixels, 16))
    (FOLDER / "favicon.svg").write_text(draw_dots(pixels[6:14, 6:14], 6))


if __name__ == "__main__":
    main()
