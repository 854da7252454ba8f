"""Sizes of anonymised files: known before a file is made, and the same for many.

The original's own size would tell, to whoever can list both, which file was made of which. So sizes are rounded up to
steps that grow with them: of 1 MB, to 32 KB. What is added are 12 % at the most, of large files 3 %; a size then tells
no more than some bits (Nikitin et al., Reducing Metadata Leakage from Encrypted Files, 2019, section 4: Padmé).
"""

LEAST = 4096
"""Bytes by which any file may become longer: by what it says of its being de-identified, and by new UIDs."""


def padded(size: int, *, is_image: bool) -> int:
    """Return the size of an anonymised file: an even number of bytes.

    Args:
        size: Bytes of the original.
        is_image: Whether most of it are pixels. In others there may be many references, of which each may become longer
            by some 20 bytes; a report or a contour has some 100 bytes for each of them.
    """
    longest = size + size // (64 if is_image else 4) + LEAST
    exponent = longest.bit_length() - 1
    step = 1 << max(1, exponent - exponent.bit_length())
    return -(-longest // step) * step
