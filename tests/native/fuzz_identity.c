/* Random input for the quarantine: names, DICOM files, and the table of identities. */

#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

static const char* const NAMES[] = {"DOE", "JOHN", "D", "^", "=", " ", "-", "\xc3\xbc", "\xc3\x9c", "M\xc3\xbcller", "MUELLER",
                                    "\xe5\xb1\xb1\xe7\x94\xb0", "\xe3\x82\xa2", "ANONYMOUS", "VON", "\xff", "\xf0\x9f", NULL};
static const char* const DATES[] = {"1950", "0101", "19500101", "00000000", ".", "-", "x", NULL};
static const char* const SEXES[] = {"M", "F", "O", "U", "m", " ", NULL};
static const char* const JSON[] = {"{", "}", "\"PatientID\":\"", "\"PatientName\":\"", "A\\u00fc", "DOE^JOHN", "\",", "null", NULL};
static const char* const VALUES[] = {"DOE^JOHN", "ROE", "ISO_IR 192", "ISO_IR 100", "\xfc", "1.2.840.10008.1.2", " ", "\x1b$B", NULL};
static const davfs_folding FOLDINGS[] = {{0xdc, "u"}, {0xfc, "u"}, {0x301, ""}, {0x3000, " "}};

static size_t parts_of(const char* name, char* parts, size_t size)
{
  size_t length = davfs_fold_name(name, parts, size);
  PROMISED(length >= 1 && length <= size && parts[length - 1] == '\0' && (length == 1 || parts[length - 2] == '\0'));
  return length;
}

void fuzz_names(void)
{
  size_t size = 1 + below(DAVFS_PARTS);
  char *one = malloc(size), *other = malloc(DAVFS_PARTS);
  davfs_set_folding(FOLDINGS, below(5));
  const char *name = joined(NAMES, 40), *second = below(4) ? joined(NAMES, 8) : bytes(200);
  parts_of(name, one, size);
  parts_of(second, other, DAVFS_PARTS);
  PROMISED(davfs_names_contradict(one, other) == davfs_names_contradict(other, one));
  PROMISED(!davfs_names_contradict(one, one) && !davfs_names_contradict(other, other));
  free(one);
  free(other);
}

static size_t put(uint8_t* out, uint32_t value, size_t bytes)
{
  for (size_t i = 0; i < bytes; i++)
  {
    out[i] = (uint8_t) (value >> 8 * i);
  }
  return bytes;
}

static size_t put_element(uint8_t* out, uint16_t group, uint16_t number, const char* vr, const char* value, int explicit_vr)
{
  uint32_t length = (uint32_t) strlen(value);
  size_t size = put(out, group, 2);
  size += put(out + size, number, 2);
  if (!explicit_vr)
  {
    size += put(out + size, length, 4);
  }
  else
  {
    memcpy(out + size, vr, 2);
    size += 2;
    size += strcmp(vr, "SQ") == 0 ? put(out + size, 0, 2) + put(out + size + 2, length, 4) : put(out + size, length, 2);
  }
  memcpy(out + size, value, length);
  return size + length;
}

/* A sequence of undefined length with an item, which may not end. */
static size_t put_sequence(uint8_t* out, int explicit_vr)
{
  static const uint8_t item[] = {0xfe, 0xff, 0, 0xe0, 0xff, 0xff, 0xff, 0xff};
  static const uint8_t end_item[] = {0xfe, 0xff, 0x0d, 0xe0, 0, 0, 0, 0}, end[] = {0xfe, 0xff, 0xdd, 0xe0, 0, 0, 0, 0};
  size_t size = put_element(out, 0x0008, 0x1110, "SQ", "", explicit_vr);
  memset(out + size - 4, 0xff, 4);
  memcpy(out + size, item, 8);
  size += 8 + put_element(out + size + 8, 0x0008, 0x1150, "UI", "1.2", explicit_vr);
  memcpy(out + size, end_item, 8);
  memcpy(out + size + 8, end, 8);
  return size + 8 + (below(4) ? 8 : 0);
}

/* A DICOM file, perhaps damaged, in memory of exactly its size. */
static const uint8_t* dicom_file(size_t* size)
{
  static const uint16_t patient[] = {0x0010, 0x0020, 0x0030, 0x0040};
  uint8_t made[6000] = {0};
  int explicit_vr = (int) below(2);
  memcpy(made + 128, "DICM", 4);
  *size = 132 + put_element(made + 132, 2, 0x0010, "UI", explicit_vr ? "1.2.840.10008.1.2.1" : "1.2.840.10008.1.2", 1);
  *size += put_element(made + *size, 8, 5, "CS", joined(VALUES, 1), explicit_vr);
  *size += put_element(made + *size, 8, 0x18, "UI", joined(VALUES, 2), explicit_vr);
  *size += below(3) == 0 ? put_sequence(made + *size, explicit_vr) : 0;
  for (size_t i = 0; i < 4; i++)
  {
    *size += put_element(made + *size, 0x10, patient[i], "LO", joined(VALUES, 3), explicit_vr);
  }
  *size += put_element(made + *size, 0x20, 0x0d, "UI", joined(VALUES, 2), explicit_vr);
  for (uint32_t damages = below(3) ? 0 : below(6); damages > 0; damages--)
  {
    made[132 + below((uint32_t) *size - 132)] = (uint8_t) below(256);
  }
  *size = below(6) ? *size : below((uint32_t) *size + 1);
  return copied(made, *size);
}

static void check_identity(const davfs_identity* identity)
{
  PROMISED(strlen(identity->patient) < sizeof(identity->patient) && strlen(identity->name) < sizeof(identity->name));
  PROMISED(strlen(identity->birth) <= 8 && strlen(identity->sex) <= 1);
  PROMISED(strlen(identity->study) < sizeof(identity->study) && strlen(identity->instance) < sizeof(identity->instance));
}

void fuzz_scan(void)
{
  size_t size;
  davfs_fields found;
  davfs_identity identity;
  const uint8_t* file = dicom_file(&size);
  if (davfs_scan_file(file, size, &found) == 0)
  {
    PROMISED(found.patient.text >= (const char*) file && found.patient.text + found.patient.length <= (const char*) file + size);
    davfs_decode_fields(&found, &identity);
    check_identity(&identity);
  }
}

static void some_identity(davfs_identity* identity)
{
  static const char* const ids[] = {"1", "2", "", "3"};
  davfs_make_identity(identity, ids[below(4)], joined(NAMES, 6), joined(DATES, 3), joined(SEXES, 1));
  check_identity(identity);
  identity->study[0] = (char) ('0' + below(4));
}

static const char* some_study(void)
{
  char text[DAVFS_STUDY * 2 + 1];
  memset(text, '0' + (char) below(4), sizeof(text));
  text[sizeof(text) - 1 - (below(20) ? 0 : below(10))] = '\0';
  return copied(text, sizeof(text));
}

/* What was let in or accepted is let in again, and the table gives back all its memory. */
void fuzz_identities(void)
{
  size_t length, size = below(120);
  char* known = malloc(size + 1);
  davfs_identity one;
  some_identity(&one);
  switch (below(8))
  {
    case 0:
      davfs_forget_study(some_study());
      break;
    case 1:
    case 2:
      davfs_set_study(some_study(), one.patient, one.name, one.birth, one.sex);
      break;
    case 3:
      (below(2) ? (void) davfs_accept_identity(&one) : davfs_restore_accepted(&one));
      davfs_accept_identity(&one);
      PROMISED(one.patient[0] == '\0' || davfs_judge_identity(&one, known, size, &length) == DAVFS_LET_IN);
      break;
    case 4:
      davfs_settle_identities(0);
      break;
    default:
      davfs_complete_identities(below(8) != 0);
      int verdict = davfs_judge_identity(&one, known, size, &length);
      PROMISED(length <= size && (length == 0 || known[length - 1] == '\0'));
      PROMISED(verdict != DAVFS_LET_IN || davfs_judge_identity(&one, known, size, &length) == DAVFS_LET_IN);
  }
  if (below(200) == 0)
  {
    davfs_clear_identities();
    PROMISED(davfs_identities_size() <= 2 * (sizeof(void*) << 17));
  }
  free(known);
}

static void empty_queue(void)
{
  davfs_held* held;
  while ((held = davfs_next_held(0)) != NULL)
  {
    check_identity(&held->identity);
    touch(held->bytes, held->known + held->size);
    davfs_free_held(held);
  }
}

void fuzz_quarantine(void)
{
  size_t size;
  uint16_t status = 1;
  davfs_verdict verdict;
  const uint8_t* file = dicom_file(&size);
  fake_instance instance = {file, size, below(8) ? joined(JSON, 20) : NULL, (OrthancPluginInstanceOrigin) (1 + below(6))};
  const OrthancPluginDicomInstance* given = (const OrthancPluginDicomInstance*) &instance;
  if (registered_instance_filter == NULL || below(100) == 0)
  {
    davfs_register_quarantine();
  }
  davfs_complete_identities(below(8) != 0);
  int own = (int) below(3);
  if (own)
  {
    davfs_begin_import(own == 1);
  }
  int32_t stored = registered_instance_filter(given);
  PROMISED(own ? stored == 0 || stored == 1 : stored == 1 || stored == -1);
  if (own)
  {
    int decided = davfs_end_import(&verdict);
    PROMISED((decided >= DAVFS_LET_IN) == (stored == 1) && verdict.length <= sizeof(verdict.known));
  }
  else if (stored == 1 && instance.origin == OrthancPluginInstanceOrigin_DicomProtocol)
  {
    stored = registered_c_store_filter(&status, given);
    PROMISED((stored == 1 && status == 0) || (stored == 0 && status >= 0xa700));
  }
  if (below(4) == 0)
  {
    empty_queue();
    davfs_lost_held();
  }
  if (below(500) == 0)
  {
    davfs_clear_identities();
  }
}
