"""Opens the audit trail that the settings describe."""

from davfs.audit.audit_file import AuditFile, FileLimits
from davfs.audit.record import AuditAction
from davfs.audit.trail import AuditTrail, Completion
from davfs.settings.configuration import AuditSettings


def open_trail(settings: AuditSettings, complete: Completion) -> AuditTrail:
    """Return the audit trail, started; without sinks if it is switched off."""
    limits = FileLimits(settings.maximum_size, settings.maximum_age, settings.maximum_files)
    sinks = (AuditFile(settings.file, limits),) if settings.enabled else ()
    optional = {AuditAction.LIST: settings.listings, AuditAction.ARRIVAL: settings.arrivals}
    trail = AuditTrail(sinks, (action for action, wanted in optional.items() if not wanted), complete)
    trail.start()
    return trail
