"""Features that do not depend on position: spectra and co-occurrences."""

from skfingerprint._features.attribution_features import AttributionFeatures
from skfingerprint._features.cooccurrence_transformer import CooccurrenceTransformer
from skfingerprint._features.names import group_names, parse_family
from skfingerprint._features.spectrum_transformer import SpectrumTransformer
