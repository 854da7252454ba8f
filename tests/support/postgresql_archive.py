"""An archive that is written right into Orthanc's tables in PostgreSQL: a hundred thousand studies in a minute."""

import hashlib
from datetime import date, timedelta

from tests.support.postgresql import PostgresServer

_FIRST_DAY = date(1700, 1, 1)
_STEP = 4
"""Rows of each study: patient, study, series, instance."""
_FILL = """
CREATE FUNCTION orthanc_id(kind text, number bigint) RETURNS text AS $$
  SELECT regexp_replace(substr(encode(sha224((kind || number)::bytea), 'hex'), 1, 40), '(.{{8}})(?!$)', '\\1-', 'g')
$$ LANGUAGE sql;
ALTER TABLE resources DISABLE TRIGGER patientadded;
INSERT INTO resources (internalid, resourcetype, publicid, parentid)
  SELECT {step} * n + level, level, orthanc_id(substr('psei', level + 1, 1), n),
    CASE WHEN level > 0 THEN {step} * n + level - 1 END
  FROM generate_series(0, 3) level, generate_series(1, {count}) n ORDER BY level;
INSERT INTO patientrecyclingorder (patientid) SELECT {step} * n FROM generate_series(1, {count}) n;
SELECT setval('resources_internalid_seq', {step} * {count} + 100);
INSERT INTO maindicomtags SELECT {step} * n, 16, 32, 'P' || n FROM generate_series(1, {count}) n;
INSERT INTO maindicomtags SELECT {step} * n, 16, 16, 'Doe^' || n FROM generate_series(1, {count}) n;
INSERT INTO maindicomtags SELECT {step} * n + 1, 32, 13, '1.2.' || n FROM generate_series(1, {count}) n;
INSERT INTO maindicomtags
  SELECT {step} * n + 1, 8, 32, to_char(date '{first}' + n, 'YYYYMMDD') FROM generate_series(1, {count}) n;
INSERT INTO maindicomtags SELECT {step} * n + 2, 32, 14, '1.3.' || n FROM generate_series(1, {count}) n;
INSERT INTO maindicomtags SELECT {step} * n + 2, 8, 96, 'CT' FROM generate_series(1, {count}) n;
INSERT INTO maindicomtags SELECT {step} * n + 3, 8, 24, '1.4.' || n FROM generate_series(1, {count}) n;
ALTER TABLE resources ENABLE TRIGGER patientadded;
DROP FUNCTION orthanc_id;
ANALYZE;
"""
"""Each study is of a patient and of a day of its own, and has no files."""


def fill(database: PostgresServer, count: int) -> None:
    """Write studies with the numbers from 1 to a count into an empty archive, whose tables Orthanc has made."""
    database.sql(_FILL.format(count=count, step=_STEP, first=_FIRST_DAY), seconds=1200)


def study_id(number: int) -> str:
    """Return the id of a study."""
    digits = hashlib.sha224(f"s{number}".encode()).hexdigest()[:40]
    return "-".join(digits[start : start + 8] for start in range(0, 40, 8))


def day_of(number: int) -> date:
    """Return the date of a study."""
    return _FIRST_DAY + timedelta(days=number)
