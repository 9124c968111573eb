"""Plots of fingerprints and of attributions, as Display classes like scikit-learn's.

A display holds the numbers, and its method `plot` draws them. Only this method imports
matplotlib (extra `plot`). Displays with one picture for each source plot into an array
of axes.
"""

from skfingerprint.plotting._attribution import (
    OneVsRestRocDisplay,
    SourceConfusionDisplay,
)
from skfingerprint.plotting._contributions import ContributionDisplay
from skfingerprint.plotting._correlations import (
    CorrelationHistogramDisplay,
    CorrelationMatrixDisplay,
)
from skfingerprint.plotting._curves import EnergyCurveDisplay, RobustnessDisplay
from skfingerprint.plotting._fingerprints import (
    AutocorrelationDisplay,
    FingerprintDisplay,
    SpectrumDisplay,
)
from skfingerprint.plotting._maps import ScoreMapDisplay
from skfingerprint.plotting._open_set import OpenSetDisplay
from skfingerprint.plotting._ratios import TippettDisplay

__all__ = [
    "AutocorrelationDisplay",
    "ContributionDisplay",
    "CorrelationHistogramDisplay",
    "CorrelationMatrixDisplay",
    "EnergyCurveDisplay",
    "FingerprintDisplay",
    "OneVsRestRocDisplay",
    "OpenSetDisplay",
    "RobustnessDisplay",
    "ScoreMapDisplay",
    "SourceConfusionDisplay",
    "SpectrumDisplay",
    "TippettDisplay",
]
