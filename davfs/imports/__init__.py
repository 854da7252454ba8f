"""What becomes of a file that is dropped into ``inbox/``.

- `sniff`: what a file is, from its first bytes.
- `signs`: what in them says DICOM.
- `importer`: hands DICOM files to Orthanc, and distinguishes a success from a refusal.
- `same_image`: whether a file is the image that Orthanc has already.
- `zip_import`: imports the DICOM files in a ZIP.
- `zip_directory`: which members a ZIP has.
- `zip_members`: unpacks them.
- `elements`: how many data elements a file has, by which it can cost Orthanc much, and how deep they are nested.
- `progress`: how far the import of a ZIP is.
- `hazards`: what Orthanc's parser would not survive.
- `lanes`: the queues in which that is done, one for each kind of work.
- `queue`: one of them: named threads, and a bounded number of jobs.
- `spool`: the real folder behind the inbox: what is written into it, in one piece or in several.
- `shelf`: what of it is shown, and until when.
- `relocation`: renaming and copying in it.
- `incoming`: a file that is on its way into it.
- `disk`: that folder on the disk, and the steps that change it, each in full or not at all.
- `renaming`: the two system calls behind those steps.
- `descriptors`: open folders and files of the disk; no link is followed.
- `refusals`: what the disk says, as errors about a path.
- `as_sent`: which ordinary files are receipts that keep what was sent.
- `items`: what one name in it stands for: a folder, an ordinary file, or a receipt.
- `quota`: how many bytes it holds.
- `sweeper`: the thread that removes what has expired.
"""
