"""Opens the audit trail that the settings describe."""

import ssl

from davfs.audit.audit_file import AuditFile, FileLimits
from davfs.audit.record import AuditAction
from davfs.audit.syslog import SyslogSink
from davfs.audit.syslog_connection import SyslogConnection, SyslogServer, SyslogTransport
from davfs.audit.syslog_message import MessageFormat, message_encoder
from davfs.audit.trail import AuditSink, AuditTrail, Completion
from davfs.errors import ConfigurationError
from davfs.settings.configuration import AuditSettings, SyslogSettings


def audit_sinks(settings: AuditSettings) -> tuple[AuditSink, ...]:
    """Return the places that records are written to; none if the audit trail is switched off.

    Raises:
        ConfigurationError: Certificates for the syslog server cannot be read.
    """
    if not settings.enabled:
        return ()
    file = AuditFile(settings.file, FileLimits(settings.maximum_size, settings.maximum_age, settings.maximum_files))
    return (file, _syslog(settings.syslog)) if settings.syslog else (file,)


def open_trail(settings: AuditSettings, sinks: tuple[AuditSink, ...], complete: Completion) -> AuditTrail:
    """Return the audit trail, started."""
    optional = {AuditAction.LIST: settings.listings, AuditAction.ARRIVAL: settings.arrivals}
    trail = AuditTrail(sinks, (action for action, wanted in optional.items() if not wanted), complete)
    trail.start()
    return trail


def _syslog(settings: SyslogSettings) -> SyslogSink:
    server = SyslogServer.parse(settings.url)
    connection = SyslogConnection(server, _trust(settings, server))
    return SyslogSink(connection, message_encoder(MessageFormat(settings.form)), settings.url)


def _trust(settings: SyslogSettings, server: SyslogServer) -> ssl.SSLContext | None:
    """Return how the server's certificate is checked; None without TLS."""
    if server.transport is not SyslogTransport.TLS:
        return None
    try:
        context = ssl.create_default_context(cafile=settings.authority)
        context.minimum_version = ssl.TLSVersion.TLSv1_2  # DICOM PS3.15 A.6
        if settings.certificate:
            context.load_cert_chain(settings.certificate, settings.key, password=_refuse_password)
    except (OSError, ValueError) as error:
        files = ", ".join(f"'{file}'" for file in (settings.authority, settings.certificate, settings.key) if file)
        reason = getattr(error, "strerror", None) or error
        raise ConfigurationError(f"Davfs.Audit.SyslogCA, SyslogCertificate, SyslogKey: {files}: {reason}") from error
    return context


def _refuse_password() -> str:
    """Refuse a key with a password, which OpenSSL would ask for at the terminal."""
    raise ValueError("the key is encrypted, and has to be without a password")
