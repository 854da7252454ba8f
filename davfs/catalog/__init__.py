"""A local index of Orthanc's studies and series in an SQLite file, so that listing a folder costs what it shows.

The words of this package:

- A **resource** is an indexed study or series: its tags and labels as Orthanc sent them last.
- A **placement** says that a resource appears in a folder of a layout under a base name. It is computed from the
  resource's tags when the resource is saved; for the few series right in a study's folder, when they are read.
- A **node** identifies what a folder stands for: a study or series by Orthanc's id, a patient folder or a group by an
  id that `plan` makes. These two are *shared*: they exist as long as one of their **members**, the studies or series
  below them, does. The file has a row for each way in which the path of such a folder is spelled.
- The **generation** counts the changes of the index. A value computed from the index is valid in that generation only.
- The **revision** counts them too, per resource: it tells a late response of Orthanc from a new one (`revisions`).

How the index stays true:

1. `indexer` builds the **first index** when Orthanc has started: it fetches all studies and series (`reconciler`).
2. New and changed resources are in Orthanc's log of changes, which each request reads first (`synchronizer`).
3. A deletion is in no log. Orthanc sends an event to its own plugins. A resource deleted by another Orthanc on the same
   database is found by comparing a folder with Orthanc's own list (`folder_contents`), or the counts (`reconciler`).
4. Tags can change without an entry in the log. They are compared when they are looked at, and re-read in the
   background.
5. The whole index is **stale** if the log is not the one that was read before, because it was emptied or Orthanc's
   database was restored from a backup (`change_log`). Then everything is compared.

Modules, from the bottom up: `connections`, `connection_pool`, `write_lock`, `database`, `file_digest` (an SQLite file
that may be lost at any time); `packing`, `schema`; `records`, `resources`, `plan`, `placing`, `lineages`,
`folder_table`, `layout_table`, `placements`, `rows` (tables); `placed_layouts` (layouts that come and go);
`index_writer`, `followed_log`, `stored_marks`, `store` (all of it); `instances` (cache); `change_log`, `synchronizer`,
`hierarchy`, `folder_contents`, `reconciler`; `catalog`, which the drive uses; `indexer` and `layout_placing`, the
background threads; `query`, `search`.
"""
