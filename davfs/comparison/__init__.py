"""Compares two DICOM files of one SOP instance by their content, whatever its encoding.

- `parsing`: parses a file into elements, whose values are views into it.
- `values`: compares two values.
- `datasets`: finds the first attribute in which two data sets differ.
- `pixels`: compares the pixels of two files.
- `images`: finds the first difference between two files, by all of these.
"""
