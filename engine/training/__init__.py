"""Training methods, one file each: a loss that reads like its formula; one shared loop (``loop``).

``objective`` says what a method is, ``methods`` names them, ``presets`` holds the recipes, ``fit`` goes from a plan to
a checkpoint with a card, ``selection`` labels the images for a selection network.
"""
