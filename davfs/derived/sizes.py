"""Computes the sizes of anonymised files: known before a file is made, and the same for many.

The original's own size would tell a user who can list both which file was made from which. So sizes are rounded up to
steps that grow with them: 32 KB for 1 MB. At most 12 % are added, to large files 3 %; a size then reveals only some
bits (Nikitin et al., Reducing Metadata Leakage from Encrypted Files, 2019, section 4: Padmé).
"""

LEAST = 4096
"""Bytes by which any file may become longer: by the attributes about its de-identification, and by new UIDs."""


def padded(size: int, *, is_image: bool) -> int:
    """Return the size of an anonymised file: an even number of bytes.

    Args:
        size: Bytes of the original.
        is_image: True if most of it are pixels. Others may have many references, each of which may become longer by
            some 20 bytes; a report or a contour has some 100 bytes for each reference.
    """
    longest = size + size // (64 if is_image else 4) + LEAST
    exponent = longest.bit_length() - 1
    step = 1 << max(1, exponent - exponent.bit_length())
    return -(-longest // step) * step
