"""The folder on the disk behind ``inbox/``: ordinary files, folders, and receipts for files that Orthanc holds.

- `files`: what the rest of the code sees of it, or of `davfs.shared`, which keeps the same in a database.
- `spool`: writes files and uploads into it; `reading`: lists and opens them; `moving`: renames and copies them.
- `upload_file`: an unfinished upload.
- `items`: a name in it: a folder, an ordinary file, or a receipt.
- `originals`: uploaded files that are kept because Orthanc stored other bytes.
- `quota`: counts bytes and names; `space`: makes room where it is used up.
- `disk`: the steps that change it, each in full or not at all; `removing`: those that remove; `folders`: its folders.
- `renaming`: system calls that rename; `descriptors`: open files and folders, without following links.
- `disk_errors`: errors of the disk as errors about a path.
- `dead_properties`: properties that clients keep at files and folders (RFC 4918 §4); `property_database`: their SQLite
  file; `property_tracker`: renames and removes them together with files.
- `entity_tags`: entity tags of files.
- `incoming`: folders for uploads under way, for a node whose inbox is in a database.
- `sweeper`: the thread that removes expired files.
"""
