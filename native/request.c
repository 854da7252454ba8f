/* The request filter. It runs on the thread of the request, just before the callbacks, and does two things:

   - It refuses the outer root. The core dereferences the last segment of an empty path on GET and HEAD of a collection's
     root (HttpServer.cpp, HandleWebDav) and dies; people mount the inner root, which is an ordinary folder of the outer.
   - It keeps what the callbacks are not told: the user, and whether a Depth header came (PROPFIND). */

#include "davfs.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static char outer_root[256] = "";
static _Thread_local davfs_request current;

/* Moves `*p` to the next segment that counts; returns its length without trailing dots, 0 at the end. The core strips
   those dots itself, and "." and empty segments lead nowhere. */
static size_t next_segment(const char** p)
{
  for (;;)
  {
    *p += strspn(*p, "/");
    size_t length = strcspn(*p, "/");
    if (length == 0)
    {
      return 0;
    }
    size_t kept = length;
    while (kept > 0 && (*p)[kept - 1] == '.')
    {
      kept--;
    }
    if (kept > 0)
    {
      return kept;
    }
    *p += length;
  }
}

/* 1 where the path begins with the outer root; *exact tells whether nothing follows. */
static int is_below_outer(const char* uri, int* exact)
{
  const char* wanted = outer_root;
  size_t expected;
  while ((expected = next_segment(&wanted)) > 0)
  {
    size_t got = next_segment(&uri);
    if (got != expected || strncmp(uri, wanted, got) != 0)
    {
      return 0;
    }
    uri += strcspn(uri, "/");
    wanted += expected;
  }
  *exact = next_segment(&uri) == 0;
  return 1;
}

static int base64_digit(char c)
{
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const char* found = c ? strchr(digits, c) : NULL;
  return found ? (int) (found - digits) : -1;
}

/* Decodes the user of "Basic dXNlcjpwYXNzd29yZA==" and nothing of the password (RFC 7617). */
static void decode_user(const char* authorization, char* user, size_t size)
{
  unsigned int bits = 0, have = 0;
  size_t length = 0;
  if (strncasecmp(authorization, "basic ", 6) != 0)
  {
    return;
  }
  for (const char* p = authorization + 6 + strspn(authorization + 6, " "); *p != '\0' && length + 1 < size; p++)
  {
    int digit = base64_digit(*p);
    if (digit < 0)
    {
      break;
    }
    bits = (bits << 6) | (unsigned int) digit;
    have += 6;
    if (have >= 8)
    {
      have -= 8;
      char c = (char) ((bits >> have) & 0xff);
      if (c == ':')
      {
        break;
      }
      user[length++] = c;
    }
  }
  user[length] = '\0';
}

static int32_t filter(OrthancPluginHttpMethod method, const char* uri, const char* ip, uint32_t headers,
                      const char* const* keys, const char* const* values, uint32_t arguments,
                      const char* const* argument_keys, const char* const* argument_values)
{
  int exact = 0;
  (void) method, (void) ip, (void) arguments, (void) argument_keys, (void) argument_values;

  memset(&current, 0, sizeof(current));
  if (!is_below_outer(uri, &exact))
  {
    return 1;
  }
  if (exact)
  {
    return 0;
  }
  for (uint32_t i = 0; i < headers; i++)
  {
    if (strcasecmp(keys[i], "depth") == 0)
    {
      current.has_depth = 1;
      current.depth = strcmp(values[i], "0") == 0 ? 0 : strcmp(values[i], "1") == 0 ? 1 : -1;
    }
    else if (strcasecmp(keys[i], "authorization") == 0)
    {
      decode_user(values[i], current.user, sizeof(current.user));
    }
  }
  return 1;
}

void davfs_watch_requests(const char* outer)
{
  snprintf(outer_root, sizeof(outer_root), "%s", outer);
  OrthancPluginRegisterIncomingHttpRequestFilter2(davfs_context, filter);
}

davfs_request davfs_take_request(void)
{
  davfs_request taken = current;
  memset(&current, 0, sizeof(current));
  return taken;
}

void davfs_note_request(const davfs_request* request)
{
  current = *request;
}

void davfs_audit(const char* user, const char* action, const char* resource, const char* result)
{
  char line[512], shown[sizeof(current.user)];
  size_t length = strlen(user);
  length = length < sizeof(shown) ? length : sizeof(shown) - 1;
  for (size_t i = 0; i < length; i++) /* a user may call himself anything, line breaks included */
  {
    unsigned char c = (unsigned char) user[i];
    shown[i] = c < 0x20 || c == 0x7f || c == '"' ? '?' : user[i];
  }
  shown[length] = '\0';
  snprintf(line, sizeof(line), "davfs: audit user=\"%s\" action=%s resource=%s result=%s", shown, action,
           *resource ? resource : "-", result);
  davfs_log(DAVFS_INFO, line);
}
