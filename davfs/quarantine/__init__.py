"""The quarantine: what contradicts the identity that the archive has under its PatientID does not get into it.

The filters are in native/quarantine.c, and decide by a table in C. Here is what feeds it, and takes what was held:

- `folding` computes what the characters of names are compared as;
- `follower` sets the identity of each study in the index, and passes on the instances that were held;
- `identity` describes, for people, what contradicts what;
- `inside` connects these to the filters, in Orthanc's process.
"""
