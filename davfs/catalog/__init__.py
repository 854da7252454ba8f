"""The local index that lets a listing cost what it shows, and not what the archive holds.

- `database`: an SQLite file that may be lost at any time.
- `store`: facts (resources and their tags) apart from placements (which name they have in which folder).
- `placing`: from facts and layouts to placements.
- `instances`: the bounded cache of instances, a series at a time.
- `catalog`: what the drive asks; keeps the promise that no listing is older than its request.
- `upkeep`: the thread that builds the first index and follows Orthanc's events.
"""
