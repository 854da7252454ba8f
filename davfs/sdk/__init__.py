"""The crossing between C and Python: the only package that imports cffi's module, which exists inside Orthanc alone.

The life of a request at the first door:

1. Orthanc's core calls the request filter (native/request.c), which notes user and Depth for this thread.
2. The core calls one of the six callbacks (native/door.c). It refuses where Orthanc is stopping, and
   otherwise enters Python through cffi.
3. `davfs.sdk.callbacks.crossing` decodes the path, takes the note of the filter, and calls the door.
4. The door (`davfs.doors.collection`) asks the drive, which reads Orthanc's REST API through `davfs.sdk.core`. cffi
   lets go of Python's lock around each such call.
5. The answer crosses back in one call: a whole listing as one packed buffer, a file as a pointer to the core's own
   memory.
6. An exception becomes an error code of the door's table; none leaves Python.
"""
