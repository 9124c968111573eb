"""Print and draw the time of a residual over the width of an image.

``python -m benchmarks.speed.widths`` computes residuals of noise at heights of 1, 2, 14
and 64 pixels by `wavelet_residual`, with numba and with NumPy alone. Its filters have
eight taps, and two (wavelet "haar") at a height of 2, at which longer ones are refused.
A width is measured once before its time is taken, so that neither compiling nor
matrices that are kept count. For each height it prints milliseconds at each width, and
the exponent e of a fit ``time ~ width^e`` to the widths from 64,000 pixels on: 1 is
linear, and 2 would be the square. It draws `docs/images/widths.png` (extra `plot`).
"""

import time
from pathlib import Path

import numpy as np

from skfingerprint import denoising
from skfingerprint.denoising import _wavelet, wavelet_residual

HEIGHTS = (1, 2, 14, 64)
WIDTHS = (4000, 16_000, 64_000, 128_000, 256_000, 512_000)
N_CALLS = 3
IMAGE = Path(__file__).parents[2] / "docs" / "images" / "widths.png"
COMPILED = denoising._fastest_kernel()


def measure(height, width, kernel):
    """Return the processor's time of the fastest of some calls, in milliseconds."""
    denoising._fastest_kernel = lambda: kernel
    image = np.random.default_rng(0).integers(0, 256, (1, height, width), np.uint8)
    times = []
    for _ in range(1 + N_CALLS):
        start = time.process_time()
        wavelet_residual(image, wavelet="haar" if height == 2 else "db4")
        times.append(1e3 * (time.process_time() - start))
    return min(times[1:])


def draw(times):
    """Draw the times of all heights over the width, one panel a kernel."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(
        1, len(times), figsize=(9, 4), sharey=True, layout="constrained"
    )
    for ax, (name, by_height) in zip(axes, times.items(), strict=True):
        for (height, found), marker in zip(by_height.items(), "os^v", strict=True):
            ax.loglog(WIDTHS, found, marker + "-", label=f"height {height}")
        line = np.array(WIDTHS) / WIDTHS[0] * by_height[64][0]
        ax.loglog(WIDTHS, line, ":", color="0.4", label="proportional to width")
        ax.set(title=name, xlabel="Width in pixels")
        ax.legend()
    axes[0].set_ylabel("Milliseconds")
    figure.savefig(IMAGE, dpi=100)


def main():
    """Print the table and draw it."""
    print("kernel height", *(f"{width:9,d}" for width in WIDTHS), " exponent")
    times = {"numba": {}, "NumPy": {}}
    for name, kernel in zip(times, (COMPILED, _wavelet.wavelet_noise), strict=True):
        for height in HEIGHTS:
            found = [measure(height, width, kernel) for width in WIDTHS]
            times[name][height] = found
            exponent = np.polyfit(np.log(WIDTHS[2:]), np.log(found[2:]), 1)[0]
            cells = " ".join(f"{value:9.1f}" for value in found)
            print(f"{name:6s} {height:6d} {cells} {exponent:9.2f}", flush=True)
    draw(times)


if __name__ == "__main__":
    main()
