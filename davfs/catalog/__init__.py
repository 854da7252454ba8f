"""The local index that lets a listing cost what it shows, and not what the archive holds.

- `database`: an SQLite file that may be lost at any time, or that cannot be written for a while; `file_digest` and
  `examination` find damage in it.
- `resources`: facts, which are the patients, studies and series that Orthanc has, and their tags.
- `placing`, `placements`: from facts and layouts to placements, which tell the name of what is in a folder; `rows`
  reads them.
- `store`: all of these in one file; `revisions`: what threads have changed lately.
- `instances`: the bounded cache of instances, a series at a time.
- `log`: how far Orthanc's log of changes was read, and whether it is still the same one.
- `facts`: follows Orthanc's log, and compares with Orthanc.
- `hierarchy`, `folder_contents`: what Orthanc has below a resource, and who is in a folder, at this moment.
- `catalog`: what the drive asks; keeps the promise that no listing is older than its request.
- `indexer`: the thread that builds the first index and follows Orthanc's events.
"""
