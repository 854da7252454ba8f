/* The request filter, which Orthanc calls on the thread of a request just before the callbacks. It does two things:

   - It refuses the outer root. The core dereferences the last segment of an empty path on GET and HEAD of a collection's
     root (HttpServer.cpp, HandleWebDav) and dies; people mount the inner root, which is an ordinary folder of the outer.
   - It starts the record of the request with what the callbacks are not given: the user, the address, and headers. Of an
     upload to another URI it notes who sends it (arrivals.c), and its size (quarantine.c). */

#include "davfs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static char outer_root[256] = "";

/* Moves `*p` to the next segment; returns its length without trailing dots, 0 at the end. The core strips those dots itself,
   and skips "." and empty segments. */
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

/* Returns 1 if the path begins with the outer root; *exact is 1 if nothing follows. */
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

static void note_header(davfs_request* request, const char* key, const char* value)
{
  if (strcasecmp(key, "depth") == 0)
  {
    request->has_depth = 1;
    request->depth = strcmp(value, "0") == 0 ? 0 : strcmp(value, "1") == 0 ? 1 : -1;
  }
  else if (strcasecmp(key, "authorization") == 0)
  {
    decode_user(value, request->user, sizeof(request->user));
  }
  else if (strcasecmp(key, "user-agent") == 0)
  {
    snprintf(request->agent, sizeof(request->agent), "%s", value);
  }
}

/* Returns 1 for the URIs of STOW-RS (DICOM PS3.18 §10.5): {root}/studies and {root}/studies/{study}. Those of Orthanc's own
   REST API begin with /studies. */
static int is_stow(const char* uri)
{
  int last = 0, at = 0;
  for (size_t length; (length = next_segment(&uri)) > 0; uri += strcspn(uri, "/"))
  {
    at++;
    last = length == 7 && strncmp(uri, "studies", length) == 0 ? at : last;
  }
  return last > 1 && at - last <= 1;
}

static void note_uploader(const char* uri, const char* ip, uint32_t headers, const char* const* keys,
                          const char* const* values)
{
  davfs_uploader* uploader = davfs_this_uploader();
  uploader->is_upload = 1;
  uploader->is_dicomweb = is_stow(uri);
  snprintf(uploader->address, sizeof(uploader->address), "%s", ip ? ip : "");
  for (uint32_t i = 0; i < headers; i++)
  {
    if (strcasecmp(keys[i], "authorization") == 0)
    {
      decode_user(values[i], uploader->user, sizeof(uploader->user));
    }
  }
}

/* Returns the length of the body of POST /instances; 0 for all else, and if it is compressed or not announced. */
static uint64_t upload_size(OrthancPluginHttpMethod method, const char* uri, uint32_t headers, const char* const* keys,
                            const char* const* values)
{
  uint64_t size = 0;
  size_t length = next_segment(&uri);
  if (method != OrthancPluginHttpMethod_Post || length != strlen("instances") || strncmp(uri, "instances", length) != 0)
  {
    return 0;
  }
  for (uint32_t i = 0; i < headers; i++)
  {
    if (strcasecmp(keys[i], "content-encoding") == 0)
    {
      return 0;
    }
    size = strcasecmp(keys[i], "content-length") == 0 ? strtoull(values[i], NULL, 10) : size;
  }
  return size;
}

static int32_t filter(OrthancPluginHttpMethod method, const char* uri, const char* ip, uint32_t headers,
                      const char* const* keys, const char* const* values, uint32_t arguments,
                      const char* const* argument_keys, const char* const* argument_values)
{
  davfs_request* request = davfs_this_request();
  int exact = 0;
  davfs_clear_request(request);
  request->upload = upload_size(method, uri, headers, keys, values);
  memset(davfs_this_uploader(), 0, sizeof(davfs_uploader));
  if (!is_below_outer(uri, &exact))
  {
    if (method == OrthancPluginHttpMethod_Post || method == OrthancPluginHttpMethod_Put)
    {
      note_uploader(uri, ip, headers, keys, values);
    }
    return 1;
  }
  if (exact)
  {
    return 0;
  }
  snprintf(request->address, sizeof(request->address), "%s", ip ? ip : "");
  for (uint32_t i = 0; i < headers; i++)
  {
    note_header(request, keys[i], values[i]);
  }
  return 1;
}

void davfs_register_filter(const char* outer)
{
  snprintf(outer_root, sizeof(outer_root), "%s", outer);
  OrthancPluginRegisterIncomingHttpRequestFilter2(davfs_context, filter);
}
