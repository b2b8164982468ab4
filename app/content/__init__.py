"""The pages, each with `show(settings)`."""
