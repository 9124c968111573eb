"""Localization: which part of an image comes from which source."""

from skfingerprint._localization.fingerprint_localizer import FingerprintLocalizer
from skfingerprint._localization.windowed_classifier import WindowedClassifier
