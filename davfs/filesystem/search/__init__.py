"""search/: folders that are queries.

- `area`: the area of the drive.
- `assembly`: puts it together, for the current layouts.
- `results`: the studies that a search finds, as folders.
- `saved_searches`: the searches that users have saved.
- `placeholders`: new folders that are renamed to a query next.
- `help`: the text of README.txt in it.
"""
