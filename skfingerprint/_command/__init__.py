"""The command line: describe a folder, fit a model, attribute and explain images."""

from skfingerprint._command.arguments import main
