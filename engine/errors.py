"""The one family of errors that a user can fix: the command line prints them as one line, the pages in place."""


class AcesError(ValueError):
    """Something the user can fix. The message says what is wrong, with the value, and what to do."""
