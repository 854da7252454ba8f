"""Opens the audit trail that the settings describe."""

from davfs.audit.audit_file import AuditFile
from davfs.audit.record import AuditAction
from davfs.audit.trail import AuditTrail
from davfs.settings.configuration import AuditSettings


def open_trail(settings: AuditSettings) -> AuditTrail:
    """Return the audit trail, started; without sinks if it is switched off."""
    sinks = (AuditFile(settings.file),) if settings.enabled else ()
    optional = {AuditAction.LIST: settings.listings, AuditAction.ARRIVAL: settings.arrivals}
    trail = AuditTrail(sinks, (action for action, wanted in optional.items() if not wanted))
    trail.start()
    return trail
