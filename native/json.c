/* Finds one string in Orthanc's configuration, before there is a Python to parse it. Orthanc passes its configuration as
   strict JSON (no comments), so this is a scanner over well-formed text; anything odd is "not a string". */

#include "davfs.h"

#include <stdlib.h>
#include <string.h>

static const char* skip_space(const char* p)
{
  return p + strspn(p, " \t\r\n");
}

/* `p` is at the opening quote; returns what follows the closing one, or NULL. */
static const char* skip_string(const char* p)
{
  for (p++; *p != '\0' && *p != '"'; p++)
  {
    if (*p == '\\' && *++p == '\0')
    {
      return NULL;
    }
  }
  return *p == '"' ? p + 1 : NULL;
}

/* Skips a string, a number, a word, or a balanced object or array. */
static const char* skip_value(const char* p)
{
  int nesting = 0;
  do
  {
    p = skip_space(p);
    nesting += (*p == '{' || *p == '[') - (*p == '}' || *p == ']');
    if (*p == '"')
    {
      p = skip_string(p);
    }
    else
    {
      size_t length = strcspn(p, " \t\r\n,:{}[]\"");
      p += length > 0 || *p == '\0' ? length : 1;
    }
    if (p == NULL || *p == '\0')
    {
      return NULL;
    }
  } while (nesting > 0);
  return p;
}

static unsigned int hexadecimal(const char* p)
{
  char digits[5] = {0};
  strncpy(digits, p, 4);
  return (unsigned int) strtoul(digits, NULL, 16);
}

/* Writes a code point as UTF-8, and returns the number of bytes. */
static size_t put_utf8(char* out, unsigned int c)
{
  static const unsigned int first[] = {0, 0xc0, 0xe0, 0xf0};
  unsigned int more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
  out[0] = (char) (first[more] | c >> 6 * more);
  for (unsigned int i = 1; i <= more; i++)
  {
    out[i] = (char) (0x80 | (c >> 6 * (more - i) & 0x3f));
  }
  return more + 1;
}

/* Decodes one escape; `*p` is behind the backslash, and is moved past it. Returns the number of bytes, 0 for NUL and for half of
   a surrogate pair, which no C string in UTF-8 can hold. */
static size_t put_escape(char* out, const char** p)
{
  static const char names[] = "bfnrt", values[] = "\b\f\n\r\t";
  char c = *(*p)++;
  const char* known = c != '\0' ? strchr(names, c) : NULL;
  if (known != NULL)
  {
    return put_utf8(out, (unsigned char) values[known - names]);
  }
  if (c != 'u' || strlen(*p) < 4)
  {
    return put_utf8(out, (unsigned char) c);
  }
  unsigned int code = hexadecimal(*p);
  *p += 4;
  if (code >= 0xd800 && code < 0xdc00 && (*p)[0] == '\\' && (*p)[1] == 'u' && strlen(*p) >= 6)
  {
    unsigned int low = hexadecimal(*p + 2);
    if (low >= 0xdc00 && low < 0xe000)
    {
      code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
      *p += 6;
    }
  }
  return code == 0 || (code >= 0xd800 && code < 0xe000) ? 0 : put_utf8(out, code);
}

/* Copies the string whose opening quote is at `p`. Returns 1, or -1 if it does not fit. */
static int copy_string(const char* p, char* value, size_t size)
{
  size_t length = 0;
  const char* end = skip_string(p);
  if (end == NULL)
  {
    return -1;
  }
  p++;
  while (p < end - 1)
  {
    if (length + 5 > size)
    {
      return -1;
    }
    if (*p == '\\')
    {
      p++;
      size_t decoded = put_escape(value + length, &p);
      if (decoded == 0)
      {
        return -1;
      }
      length += decoded;
    }
    else
    {
      value[length++] = *p++;
    }
  }
  value[length] = '\0';
  return 1;
}

/* Returns the value at `key` of the object whose brace is at `p`, NULL if there is none. */
static const char* find_key(const char* p, const char* key)
{
  char name[64];
  p = skip_space(p);
  if (*p != '{')
  {
    return NULL;
  }
  p = skip_space(p + 1);
  while (p != NULL && *p == '"')
  {
    int fits = copy_string(p, name, sizeof(name));
    p = skip_string(p);
    p = p ? skip_space(p) : NULL;
    if (p == NULL || *p != ':')
    {
      return NULL;
    }
    p = skip_space(p + 1);
    if (fits == 1 && strcmp(name, key) == 0)
    {
      return p;
    }
    p = skip_value(p);
    p = p ? skip_space(p) : NULL;
    p = p && *p == ',' ? skip_space(p + 1) : NULL;
  }
  return NULL;
}

int davfs_json_string(const char* json, const char* outer, const char* inner, char* value, size_t size)
{
  const char* p = find_key(json, outer);
  p = p ? find_key(p, inner) : NULL;
  if (p == NULL)
  {
    return 0;
  }
  return *p == '"' ? copy_string(p, value, size) : -1;
}

int davfs_json_own_string(const char* json, const char* key, char* value, size_t size)
{
  const char* p = find_key(json, key);
  return p == NULL ? 0 : *p == '"' ? copy_string(p, value, size) : -1;
}

int davfs_json_true(const char* json, const char* outer, const char* middle, const char* inner)
{
  const char* p = find_key(json, outer);
  p = p ? find_key(p, middle) : NULL;
  p = p ? find_key(p, inner) : NULL;
  return p != NULL && strncmp(p, "true", 4) == 0;
}
