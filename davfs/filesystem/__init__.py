"""What is where on the drive, and what may be done there.

- `area`: the Protocols that parts of the drive implement.
- `drive`: composes the areas.
- `tree`: a layout as an area; `files`: the names of a series' files.
- `inbox`: the folder that imports.
- `search`: folders that are queries.
- `readme`: the text at the drive's root.
"""
