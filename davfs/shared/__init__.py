"""The inbox of several Orthancs, in the PostgreSQL database that they share (docs/adr/0024-one-inbox.md).

- `database`: connections and transactions; `schema`: the tables.
- `spool`: files, folders and receipts, as `davfs.spool.spool` keeps them on the disk of one node.
- `names`: changes of the table of names; `rows`: a row of it; `contents`: the bytes of files; `properties`; `quota`.
- `mutex`: locks on paths.
"""
