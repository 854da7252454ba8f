"""The folder on the disk behind ``inbox/``: ordinary files, folders, and receipts for what Orthanc holds.

- `spool`: the real folder behind the inbox: what is written into it, in one piece or in several.
- `reading`: what of it is shown, and until when.
- `moving`: renaming and copying in it.
- `property_tracker`: lets dead properties follow the names on the disk.
- `upload_file`: a file that is on its way into it.
- `disk`: that folder on the disk, and the steps that change it, each in full or not at all.
- `renaming`: the two system calls behind those steps.
- `descriptors`: open folders and files of the disk; no link is followed.
- `disk_errors`: what the disk says, as errors about a path.
- `originals`: which ordinary files are receipts that keep what was sent.
- `dead_properties`: dead properties: what clients keep at files and folders of the inbox (RFC 4918 §4), in an SQLite
  file beside them.
- `entity_tags`: entity tags of the files in the inbox: they change whenever a file does, and tell nothing else of it.
- `items`: what one name in it stands for: a folder, an ordinary file, or a receipt.
- `quota`: how many bytes it holds.
- `sweeper`: the thread that removes what has expired.
"""
