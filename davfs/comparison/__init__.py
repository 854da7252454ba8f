"""Compares two DICOM files of one SOP instance by what they say, and not by how they are written.

- `parsing`: reads a file into elements, whose values stay where they are.
- `encoding`: transfer syntaxes, as far as they matter to reading a data set.
- `values`: whether two values say the same.
- `datasets`: the first attribute in which two data sets differ.
- `pixels`: whether two files have the same pixels.
- `images`: all of it: the first difference between two files.
"""
