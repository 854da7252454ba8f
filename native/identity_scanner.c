/* Reads who the patient of a DICOM file is from its bytes (PS3.10 §7, PS3.5 §7), which takes a few microseconds.

   It leaves to Orthanc what it does not read as Orthanc does for certain: text that is neither ASCII nor UTF-8, transfer
   syntaxes other than Little Endian, and files that do not look as they should. */

#include "davfs.h"

#include <stdio.h>
#include <string.h>

#define PREAMBLE 132
#define MOST_ELEMENTS 2000 /* in front of the last attribute; more are left to Orthanc */
#define UNDEFINED 0xffffffffu
#define LAST 0x0020000eu /* SeriesInstanceUID */

typedef struct
{
  const uint8_t* at;
  const uint8_t* end;
  int explicit_vr;
  unsigned int left; /* elements that may still be read */
} scanner;

typedef struct
{
  uint32_t tag;
  uint32_t length;
  const uint8_t* value;
} element;

static uint32_t read16(const uint8_t* p)
{
  return (uint32_t) p[0] | (uint32_t) p[1] << 8;
}

static uint32_t read32(const uint8_t* p)
{
  return read16(p) | read16(p + 2) << 16;
}

static int has_long_length(const uint8_t* vr)
{
  static const char known[] = "OBODOFOLOVOWSQSVUCUNURUTUV";
  for (size_t i = 0; known[i] != '\0'; i += 2)
  {
    if (memcmp(vr, known + i, 2) == 0)
    {
      return 1;
    }
  }
  return 0;
}

/* Reads the head of an element or of an item. Returns 0, or -1 at the end, or for what only Orthanc reads. */
static int read_head(scanner* from, element* found)
{
  const uint8_t* p = from->at;
  size_t size = 8, rest = (size_t) (from->end - p);
  if (rest < size || from->left-- == 0)
  {
    return -1;
  }
  found->tag = read16(p) << 16 | read16(p + 2);
  int delimiter = found->tag >> 16 == 0xfffe;
  if (delimiter || !from->explicit_vr)
  {
    found->length = read32(p + 4);
  }
  else if (!has_long_length(p + 4))
  {
    found->length = read16(p + 6);
  }
  else
  {
    size = 12;
    if (rest < size || (found->length = read32(p + 8), found->length == UNDEFINED && memcmp(p + 4, "SQ", 2) != 0))
    {
      return -1; /* items in UN have another encoding */
    }
  }
  found->value = p + size;
  from->at = found->value;
  return found->length == UNDEFINED || found->length <= rest - size ? 0 : -1;
}

/* Moves behind a sequence of undefined length. Returns 0 or -1. */
static int skip_sequence(scanner* from)
{
  element one;
  unsigned int depth = 1;
  while (depth > 0)
  {
    if (read_head(from, &one) != 0)
    {
      return -1;
    }
    if (one.tag == 0xfffee00d || one.tag == 0xfffee0dd)
    {
      depth--;
    }
    else if (one.length == UNDEFINED)
    {
      depth++;
    }
    else
    {
      from->at += one.length;
    }
  }
  return 0;
}

/* Reads the next element of the data set, and moves behind it. Returns 0 or -1. */
static int next_element(scanner* from, element* found)
{
  if (read_head(from, found) != 0 || found->tag >> 16 == 0xfffe)
  {
    return -1;
  }
  if (found->length == UNDEFINED)
  {
    return skip_sequence(from);
  }
  from->at += found->length;
  return 0;
}

static davfs_field trimmed(const element* found)
{
  const char* text = (const char*) found->value;
  size_t length = found->length;
  while (length > 0 && (text[length - 1] == ' ' || text[length - 1] == '\0'))
  {
    length--;
  }
  while (length > 0 && *text == ' ')
  {
    text++;
    length--;
  }
  return (davfs_field) {text, length};
}

static int is_text(davfs_field one, const char* text)
{
  return one.length == strlen(text) && memcmp(one.text, text, one.length) == 0;
}

/* Reads the meta header; the scanner stands at the data set then. Returns 0 or -1. */
static int read_meta(scanner* from)
{
  element one;
  davfs_field syntax = {"", 0};
  while (from->end - from->at >= 4 && read16(from->at) == 0x0002)
  {
    if (next_element(from, &one) != 0)
    {
      return -1;
    }
    syntax = one.tag == 0x00020010 ? trimmed(&one) : syntax;
  }
  from->explicit_vr = !is_text(syntax, "1.2.840.10008.1.2");
  int other = is_text(syntax, "1.2.840.10008.1.2.2") || is_text(syntax, "1.2.840.10008.1.2.1.99") ||
              is_text(syntax, "1.2.840.10008.1.2.4.95") || is_text(syntax, "1.2.840.10008.1.2.4.205");
  return syntax.length > 0 && !other ? 0 : -1;
}

static davfs_field* field_of(davfs_fields* found, uint32_t tag)
{
  switch (tag)
  {
    case 0x00080005:
      return &found->charset;
    case 0x00080018:
      return &found->instance;
    case 0x00100010:
      return &found->name;
    case 0x00100020:
      return &found->patient;
    case 0x00100030:
      return &found->birth;
    case 0x00100040:
      return &found->sex;
    case 0x0020000d:
      return &found->study;
    case LAST:
      return &found->series;
    default:
      return NULL;
  }
}

/* Finds the attributes in the data set. Returns 0 or -1. */
static int read_fields(scanner* from, davfs_fields* found)
{
  element one = {.tag = 0};
  for (uint32_t before = 0; from->end - from->at >= 8 && before < LAST; before = one.tag)
  {
    if (next_element(from, &one) != 0 || one.tag <= before)
    {
      return -1; /* Orthanc would sort them */
    }
    davfs_field* wanted = field_of(found, one.tag);
    if (wanted != NULL)
    {
      *wanted = trimmed(&one);
    }
  }
  return found->patient.text != NULL && found->name.text != NULL && found->study.text != NULL ? 0 : -1;
}

int davfs_scan_file(const void* bytes, size_t size, davfs_fields* found)
{
  const uint8_t* file = bytes;
  memset(found, 0, sizeof(*found));
  if (file == NULL || size < PREAMBLE || memcmp(file + PREAMBLE - 4, "DICM", 4) != 0)
  {
    return -1;
  }
  scanner from = {.at = file + PREAMBLE, .end = file + size, .explicit_vr = 1, .left = MOST_ELEMENTS};
  return read_meta(&from) == 0 && read_fields(&from, found) == 0 ? 0 : -1;
}

static int is_ascii(davfs_field one)
{
  for (size_t i = 0; i < one.length; i++)
  {
    if ((one.text[i] & 0x80) != 0 || one.text[i] == 0x1b || one.text[i] == '\0')
    {
      return 0;
    }
  }
  return 1;
}

/* Returns 1 if the bytes are those of the text in UTF-8. */
static int is_utf8(davfs_field one, davfs_field charset)
{
  size_t more = 0;
  if (!is_text(charset, "ISO_IR 192"))
  {
    return is_ascii(one);
  }
  for (size_t i = 0; i < one.length; i++)
  {
    unsigned char c = (unsigned char) one.text[i];
    int follows = (c & 0xc0) == 0x80;
    if (c == '\0' || follows != (more > 0) || c == 0xc0 || c == 0xc1 || c > 0xf4)
    {
      return 0;
    }
    more = follows ? more - 1 : c < 0x80 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
  }
  return more == 0;
}

static void copy(char* out, size_t size, const char* text, size_t length)
{
  length = length < size ? length : size - 1;
  memcpy(out, text, length);
  memset(out + length, 0, size - length);
}

void davfs_copy_field(char* out, size_t size, davfs_field from)
{
  copy(out, size, from.text ? from.text : "", from.length);
}

/* Returns how many digits of a date say something: none if it cannot be a date of birth, such as those that programs write
   where they know none, or one in another calendar or order; the year alone if month and day are 00. */
static size_t known_digits(const char* digits, size_t length, int separated)
{
  int year = 0, month = 1, day = 1;
  length = separated && length < 8 ? 4 : length & ~(size_t) 1; /* 1950-1-2 */
  sscanf(digits, "%4d%2d%2d", &year, &month, &day);
  if (year < 1900 || year > 2099 || month > 12 || day > 31 || strcmp(digits, "19000101") == 0)
  {
    return 0;
  }
  return month == 0 ? 4 : day == 0 ? 6 : length;
}

/* A date of birth as digits (DA, PS3.5 §6.2; some old files have dots), as far as it is known. */
static void put_birth(char* out, size_t size, const char* text)
{
  size_t length = 0;
  int separated = 0;
  char digits[9];
  for (; *text != '\0' && length < 8; text++)
  {
    if (*text >= '0' && *text <= '9')
    {
      digits[length++] = *text;
    }
    else if (*text == '.' || *text == '-')
    {
      separated = 1;
    }
    else
    {
      length = 0;
      break;
    }
  }
  digits[length] = '\0';
  copy(out, size, digits, length < 4 ? 0 : known_digits(digits, length, separated));
}

/* Of the standard's values (PS3.3 C.7.1.1.1), O says nothing: consoles and worklists write it where the sex is unknown, for which
   DICOM has no value. */
static void put_sex(char* out, size_t size, const char* text)
{
  char letter = (char) (*text & ~0x20);
  copy(out, size, &letter, text[0] != '\0' && text[1] == '\0' && strchr("MF", letter) != NULL ? 1 : 0);
}

static void put_text(char* out, size_t size, const char* text)
{
  element whole = {.value = (const uint8_t*) text, .length = (uint32_t) strlen(text)};
  davfs_field kept = trimmed(&whole);
  copy(out, size, kept.text, kept.length);
}

void davfs_make_identity(davfs_identity* identity, const char* patient, const char* name, const char* birth, const char* sex)
{
  memset(identity, 0, sizeof(*identity));
  put_text(identity->patient, sizeof(identity->patient), patient);
  put_text(identity->name, sizeof(identity->name), name);
  put_birth(identity->birth, sizeof(identity->birth), birth);
  put_sex(identity->sex, sizeof(identity->sex), sex);
}

int davfs_decode_fields(const davfs_fields* found, davfs_identity* identity)
{
  char patient[sizeof(identity->patient)], name[sizeof(identity->name)], birth[20], sex[20];
  davfs_copy_field(patient, sizeof(patient), found->patient);
  davfs_copy_field(name, sizeof(name), found->name);
  davfs_copy_field(birth, sizeof(birth), found->birth);
  davfs_copy_field(sex, sizeof(sex), found->sex);
  davfs_make_identity(identity, patient, name, birth, sex);
  davfs_copy_field(identity->study, sizeof(identity->study), found->study);
  davfs_copy_field(identity->instance, sizeof(identity->instance), found->instance);
  return is_utf8(found->patient, found->charset) && is_utf8(found->name, found->charset) ? 0 : -1;
}
