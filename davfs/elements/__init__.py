"""Reads the data elements of DICOM files, without a parser that makes an object of each.

- `headers`: the header of one element, in any encoding.
- `files`: where the data set of a file begins, and in which transfer syntax.
- `walk`: how many elements a file has, and how deep they are nested.
"""
