"""What holdfast-image and holdfast-dt have in common."""


class Refused(Exception):
    """What was asked for cannot work; the text says where, what was expected and what is there."""
