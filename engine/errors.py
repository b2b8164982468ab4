"""The one family of errors that a user can mend: the command line prints them as one line, the pages in place."""


class AcesError(ValueError):
    """Something the user can mend. The message says what is wrong, with the value, and what to do."""
