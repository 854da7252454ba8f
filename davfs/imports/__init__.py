"""Imports uploads into Orthanc.

- `upload`: decides what becomes of it, and does that.
- `sniff`: what a file is, from its first bytes.
- `dicom_signs`: what in them says DICOM.
- `importer`: hands DICOM files to Orthanc, and distinguishes a success from a refusal.
- `same_image`: whether a file is the image that Orthanc has already.
- `zip_import`: imports the DICOM files in a ZIP.
- `zip_directory`: which members a ZIP has.
- `zip_members`: unpacks them.
- `element_budget`: limits the number of data elements in the files of a ZIP.
- `progress`: how far the import of a ZIP is.
- `hazards`: what Orthanc's parser would not survive.
- `lanes`: the queues in which that is done, one for each kind of work.
- `queue`: one of them: named threads, and a bounded number of jobs.
"""
