"""The drive: its folders and files, and what clients can do with them.

- `area`: the Protocols that the areas, the drive's root folders, implement.
- `drive`: the root, which passes each call on to an area.
- `inbox`: the area for uploads, with `receipts`, `progress_files` and `forwarded`.
- `search`: the area whose folders are queries.
- `tree`: a layout as an area. `path_resolver` finds what a path leads to: a `tree_node`. `subfolders`, `image_files`
  (with `images`) and `extra_files` (with `archives` and `hidden_files`) name the entries of a folder. `deletions`
  deletes them.
- `readme`: the text of README.txt at the root.
"""
