"""Where in an image a classifier's decision comes from. torch is imported when a gradient is asked for."""

from inference.explain.attribution import explain
from inference.explain.methods import ExplanationImpossible, choose_method, title

__all__ = ["ExplanationImpossible", "choose_method", "explain", "title"]
