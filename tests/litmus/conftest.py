"""The doors that litmus is run against."""

from tests.support import doors

# pytest finds fixtures by the names in a module.
process, standalone, door, server = doors.process, doors.standalone, doors.door, doors.server
