"""Makes DICOM instances of papers and pictures that are dropped on a study: PDF, JPEG, PNG, STL and text files.

- `kinds`: detects by its content what a file is, and refuses what cannot be attached.
- `pdf`, `jpeg`, `png`, `stl`: check one format each; `text` makes a PDF of a text, with a font that `font` reads.
- `attributes`: the DICOM attributes of an attachment; `part10` writes them, and the content, as a DICOM file.
- `attacher`: stores the instance in Orthanc, once for the same bytes in the same study.
- `agreement`: decides if a DICOM file belongs to the folder on which it is dropped.
"""
