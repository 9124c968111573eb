"""Open set: known or unknown source, at a stated rate."""

from skfingerprint._open_set.fingerprint_detector import (
    FingerprintDetector,
    restore_detector,
)
from skfingerprint._open_set.rejecting_classifier import RejectingClassifier
from skfingerprint._open_set.source_detector import SourceDetector
