"""The drive's tables in the PostgreSQL database of several Orthancs; each begins with ``davfs_``."""

from davfs.errors import ConfigurationError
from davfs.shared.session import Session

_VERSION = 1
_TABLES = """
CREATE TABLE davfs_content (id bigint PRIMARY KEY, size bigint NOT NULL);
CREATE SEQUENCE davfs_content_id OWNED BY davfs_content.id;
CREATE TABLE davfs_chunk (
    content bigint NOT NULL REFERENCES davfs_content ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    number integer NOT NULL,
    bytes bytea NOT NULL,
    PRIMARY KEY (content, number)
);
ALTER TABLE davfs_chunk ALTER bytes SET STORAGE EXTERNAL;
CREATE TABLE davfs_name (
    path text COLLATE "C" PRIMARY KEY,
    folder text COLLATE "C" GENERATED ALWAYS AS (
        CASE WHEN path = '' THEN NULL WHEN strpos(path, '/') = 0 THEN ''
        ELSE left(path, length(path) - strpos(reverse(path), '/')) END
    ) STORED,
    is_folder boolean NOT NULL,
    content bigint REFERENCES davfs_content DEFERRABLE INITIALLY DEFERRED,
    instance text,
    receipt_size bigint,
    size bigint NOT NULL DEFAULT 0,
    etag text NOT NULL DEFAULT '',
    modified timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX davfs_name_folder ON davfs_name (folder);
CREATE INDEX davfs_name_content ON davfs_name (content) WHERE content IS NOT NULL;
CREATE TABLE davfs_property (
    path text COLLATE "C" NOT NULL,
    name text NOT NULL,
    value bytea NOT NULL,
    owner text NOT NULL
);
CREATE INDEX davfs_property_path ON davfs_property (path);
CREATE TABLE davfs_lock (
    token text PRIMARY KEY,
    root text COLLATE "C" NOT NULL,
    scope text NOT NULL,
    depth text NOT NULL,
    owner bytea NOT NULL,
    principal text NOT NULL,
    timeout double precision NOT NULL,
    expires timestamptz NOT NULL
);
CREATE INDEX davfs_lock_root ON davfs_lock USING hash (root);
CREATE TABLE davfs_refused (path text COLLATE "C" PRIMARY KEY, expires timestamptz NOT NULL);
CREATE TABLE davfs_searches (saved text NOT NULL);
CREATE TABLE davfs_usage (version integer, names bigint, bytes bigint, properties bigint);
INSERT INTO davfs_name (path, is_folder) VALUES ('', true);
INSERT INTO davfs_searches VALUES ('{}');
INSERT INTO davfs_usage VALUES (1, 0, 0, 0)
"""
"""Names have whole paths, without a slash at the end; '' is the inbox itself. A file has a content, a receipt an
instance, and an original both. A content has chunks, and one or several names. ``davfs_usage`` has one row, which
counts the names, the bytes of contents, and those of properties."""


def make_tables(session: Session) -> None:
    """Make the tables, if they are missing, within a transaction.

    Raises:
        Unavailable: That is not allowed, or the connection is lost.
        ConfigurationError: Another version of the plugin has made them.
    """
    session.execute("SELECT pg_advisory_xact_lock(hashtext('davfs'))")  # against another node that starts
    if session.execute("SELECT to_regclass('davfs_usage')").first == (None,):
        session.execute(_TABLES)
    elif session.execute("SELECT version FROM davfs_usage").first != (_VERSION,):
        reason = "another version of the plugin made the tables of the inbox in its database"
        raise ConfigurationError(f"{reason}: use one version on all nodes")
