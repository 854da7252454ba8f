"""Makes text that users or files chose safe for one line of a terminal, a text or a message."""


def printable(text: str) -> str:
    """Replace control characters by question marks: a terminal would obey them, and others would begin a new line."""
    return "".join(character if character.isprintable() else "?" for character in text)
