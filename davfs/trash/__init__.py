"""The trash: what users delete in a layout is hidden by a mark of its study in Orthanc, until it is restored or purged.

- `mark`: the mark of a study: which of its instances were deleted, when and by whom.
- `marks`: reads and changes the marks in Orthanc.
- `known_marks`: the marks as they were read last.
- `hidden`: an Orthanc that does not have what the marks hide; all that the drive shows is made from it. Parts of it are
  `hidden_parts`, `visible_files` and `visible_pages`.

Orthanc's own REST API and its other programs still have everything (docs/adr/0026-marks-of-the-trash.md).
"""
