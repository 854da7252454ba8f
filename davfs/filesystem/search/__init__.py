"""search/: folders that are queries, and the searches that people keep.

- `area`: the part of the drive.
- `assembly`: puts it together, for the layouts that are in force.
- `results`: the studies that a search finds, as folders.
- `saved`: the searches that people have saved.
- `placeholders`: folders that wait for their name.
- `help`: README.txt in it.
"""
