"""ACES engine: sample once, certify for every threshold.

The straight line, one module a step:

    datasets -> inference -> sampling -> runs -> bounds -> aces -> metrics

``bounds``, ``aces``, ``metrics`` and ``runs`` need numpy and scipy only; everything that
touches a network imports torch itself, so that importing ``engine`` never does.
"""

__version__ = "0.1.0"
