"""Imports uploads into Orthanc.

- `upload`: decides what becomes of an upload: imported, kept, or refused.
- `complete_file`: an upload that was completely received, as a file or in memory.
- `sniff`: detects the type of a file by its first bytes; `dicom_signs`: DICOM without its prefix.
- `rejected`: keeps what Orthanc refused in ``inbox/rejected/``.
- `importer`: imports a DICOM file, and distinguishes a success from a refusal.
- `hazards`: refuses files that would end or hang Orthanc.
- `same_image`: compares a file with the image that Orthanc has already.
- `element_budget`: limits the number of data elements in the files of a ZIP: they cost Orthanc time.
- `zip_import`: imports the DICOM files in a ZIP; `zip_directory` lists its members, `zip_members` unpacks them.
- `progress`: the progress of a ZIP's import.
- `lanes`: the queues of imports, one for each kind of file; `queue`: one of them.
"""
