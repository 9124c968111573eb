"""Imitation generators: small random networks that make images of unknown sources.

Sources of other people are unknown when a classifier is fitted, but their traces can be
imitated. An imitation keeps the content of an image and replaces its last processing,
as another network, resampling program or camera would. The networks are random and
untrained: they copy the operations of generators, not their weights.

All are stateless transformers of images in grey levels 0..255, as perturbations are.
"""

import numpy as np

from skfingerprint._core import (
    ImageOutputMixin,
    StatelessTransformer,
    check_choice,
    check_int,
)
from skfingerprint.imitation._networks import KINDS, draw_network
from skfingerprint.perturbation import _to_uint8


class ImitationGenerator(ImageOutputMixin, StatelessTransformer):
    """Imitate an unknown source: give images the traces of a small random network.

    Parameters
    ----------
    kind : str, default="transposed"
        Kind of the network, one of `KINDS`:

        - "transposed": reduction, and transposed convolutions whose kernels differ
          between the sub-pixels;
        - "shuffled": reduction, and convolutions whose channels become sub-pixels;
        - "convolved": reduction, enlargement and convolutions;
        - "resampled": reduction and enlargement, of which half sharpen;
        - "filtered": smoothing or resampling, and convolutions;
        - "sharpened": reduction, enlargement, unsharp masking and convolutions;
        - "autoencoded": strided convolutions, and transposed convolutions;
        - "shrunk": a smaller image, mirrored to the old size, as a photograph is;
        - "retouched": the same, and convolutions with a small effect;
        - "jpeg": another kind, saved as JPEG (Pillow, extra `images`).
    random_state : int, default=0
        Seed of the weights and all other choices, >= 0.

    Attributes
    ----------
    n_channels_ : int
        Number of channels seen in `fit`: 1 for grey images.

    See Also
    --------
    skfingerprint.AugmentedPipeline : Makes imitations for a detector, in `fit`.

    Notes
    -----
    Convolutions read the mean of the colors and write a texture for each color, which
    is added to the image. Its standard deviation is between 0.8 and 8 grey levels for
    an image of noise with a spectrum that falls as 1 / f, and so depends on the kind
    and the seed, not on other images. Uneven kernels of transposed convolutions and
    of sub-pixels leave the checkerboards of [1]_ and [2]_. [3]_ trains one such
    network to imitate generators; random networks need no training.

    References
    ----------
    .. [1] A. Odena, V. Dumoulin, C. Olah, "Deconvolution and Checkerboard Artifacts",
       Distill, 2016. https://doi.org/10.23915/distill.00003
    .. [2] W. Shi et al., "Real-Time Single Image and Video Super-Resolution Using an
       Efficient Sub-Pixel Convolutional Neural Network", CVPR 2016.
       https://doi.org/10.1109/CVPR.2016.207
    .. [3] X. Zhang, S. Karaman, S.-F. Chang, "Detecting and Simulating Artifacts in
       GAN Fake Images", WIFS 2019. https://doi.org/10.1109/WIFS47025.2019.9035107

    Examples
    --------
    >>> from skfingerprint.datasets import load_generators
    >>> from skfingerprint.imitation import IMITATIONS, ImitationGenerator
    >>> images = load_generators().images[:10]
    >>> imitated = ImitationGenerator("shuffled", random_state=3).fit_transform(images)
    >>> imitated.shape, imitated.dtype
    ((10, 64, 64, 3), dtype('uint8'))

    The content stays, and each kind and seed is a source of its own:

    >>> bool(abs(imitated.astype(float) - images).mean() < 20)
    True
    >>> len(IMITATIONS)
    82
    """

    _preserved_dtypes = ()

    def __init__(self, kind="transposed", *, random_state=0):
        self.kind = kind
        self.random_state = random_state

    def _get_function(self):
        check_choice("kind", self.kind, KINDS)
        check_int("random_state", self.random_state, 0)
        return self._imitate_all, {}

    def _imitate_all(self, images):
        network = draw_network(self.kind, int(self.random_state))
        return np.stack([_imitate(network, _to_uint8(image)) for image in images])


def _imitate(network, image):
    """Apply a network to an image (height, width[, n_channels]) of uint8."""
    planes = image.reshape(*image.shape[:2], -1).transpose(2, 0, 1)
    imitated = _to_uint8(network(np.ascontiguousarray(planes, np.float32)))
    return imitated.transpose(1, 2, 0).reshape(image.shape)


# Eight of each kind but ten of JPEG, after other kinds.
IMITATIONS = tuple(
    ImitationGenerator(kind, random_state=seed)
    for kind in KINDS
    for seed in range(10 if kind == "jpeg" else 8)
)
