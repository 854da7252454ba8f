"""The inbox of several Orthancs, in the PostgreSQL database that they share (docs/adr/0024-one-inbox.md).

- `database`: connections and transactions; `session`: a connection; `schema`: the tables.
- `spool`: files, folders and receipts, as `davfs.spool.spool` has them on the disk; `reading`: its reading half.
- `names`: changes of the table of names; `rows`: a row of it; `counts`: names and bytes.
- `contents`: the bytes of files; `properties`: dead properties; `quota`: checks it, and makes room.
- `mutex`: locks on paths; `refused_uploads`: paths that are not deleted for a while.
"""
