"""The trash: what was deleted in a layout, until it is restored or deleted for good.

An *entry* of the trash is what one client deleted in one go (`joining`). It has a folder in ``trash/`` (`area`), in it
the tree as the layout showed it (`entry_tree`, over `entry_archive`), and ``deleted.txt`` (`description`).
`trash` deletes, restores and purges, by changing the marks of the studies (`davfs.trash`); `retention` purges what is
too old.
"""
