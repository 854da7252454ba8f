/* Sends listings and files to Orthanc's core, which writes the HTTP response. */

#include "guarded.hh"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static const char* next_field(const char** packed)
{
  const char* field = *packed;
  *packed += strlen(field) + 1;
  return field;
}

void davfs_add_entries(const davfs_request* request, const char* packed, size_t size)
{
  const char* end = packed + size;
  uint32_t refused = 0;
  while (packed < end)
  {
    char kind = *packed++;
    const char* name = next_field(&packed);
    const char* date = next_field(&packed);
    int code;
    if (kind == 'D')
    {
      code = guarded([=] { return request->add_folder(request->collection, name, date); });
    }
    else
    {
      uint64_t bytes = strtoull(next_field(&packed), NULL, 10);
      const char* mime = next_field(&packed);
      code = guarded([=] { return request->add_file(request->collection, name, bytes, mime, date); });
    }
    refused += code != OrthancPluginErrorCode_Success;
  }
  if (refused > 0)
  {
    char line[80];
    snprintf(line, sizeof(line), "davfs: Orthanc refused %u entries of a listing", (unsigned) refused);
    davfs_log(DAVFS_ERROR, line);
  }
}

int davfs_send_file(const davfs_request* request, const void* data, uint64_t size, const char* mime, const char* date)
{
  return guarded([=] { return request->retrieve(request->collection, size ? data : "", size, mime, date); });
}

#define ZEROS (64u << 20) /* bytes, as many as most files have; page tables of 128 KB, and no other memory */

static const void* zeros = MAP_FAILED;

static const void* map(uint64_t size)
{
  return mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

static void map_zeros(void)
{
  zeros = map(ZEROS);
}

/* The core wants a file's whole content to learn its size. The pages are the kernel's one page of zeros; nothing is read from
   the storage. They stay mapped, since mapping them costs more than copying them. */
int davfs_send_file_size(const davfs_request* request, const char* packed)
{
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  packed += strlen(packed) + 1; /* the kind and name, which the core knows */
  const char* date = next_field(&packed);
  uint64_t size = strtoull(next_field(&packed), NULL, 10);
  pthread_once(&once, map_zeros);
  if (size <= ZEROS && zeros != MAP_FAILED)
  {
    return davfs_send_file(request, zeros, size, packed, date);
  }
  const void* more = map(size);
  if (more == MAP_FAILED)
  {
    return OrthancPluginErrorCode_NotEnoughMemory;
  }
  int code = davfs_send_file(request, more, size, packed, date);
  munmap((void*) more, size);
  return code;
}
