"""The one exception that users meet, and the command line's way of showing it."""


class LandcoverError(Exception):
    """Input or settings that landcover cannot use.

    The message is one line that names the value received, the rule that it
    breaks and the remedy. Commands print it and exit with code 2.

    Examples
    --------
    >>> raise LandcoverError("patch size 4 is even; choose an odd one, such as 5")
    Traceback (most recent call last):
    ...
    landcover.errors.LandcoverError: patch size 4 is even; choose an odd one, such as 5
    """
