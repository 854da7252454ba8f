/* Listings and files on their way to the core. */

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

void davfs_add_entries(OrthancPluginWebDavCollection* collection, OrthancPluginWebDavAddFile add_file,
                       OrthancPluginWebDavAddFolder add_folder, const char* packed, size_t size)
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
      code = guarded([=] { return add_folder(collection, name, date); });
    }
    else
    {
      uint64_t bytes = strtoull(next_field(&packed), NULL, 10);
      const char* mime = next_field(&packed);
      code = guarded([=] { return add_file(collection, name, bytes, mime, date); });
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

int davfs_send(OrthancPluginWebDavCollection* collection, OrthancPluginWebDavRetrieveFile retrieve, const void* data,
               uint64_t size, const char* mime, const char* date)
{
  return guarded([=] { return retrieve(collection, size ? data : "", size, mime, date); });
}

#define ZEROS (64u << 20) /* most files; page tables of 128 KB, and no other memory */

static const void* zeros = MAP_FAILED;

static void map_zeros(void)
{
  zeros = mmap(NULL, ZEROS, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

/* Answers a PROPFIND on a file: the core wants the whole content to learn its size. The pages are the kernel's one page
   of zeros; nothing is read from the storage. They stay mapped, for mapping them costs more than copying them. */
int davfs_send_zeros(OrthancPluginWebDavCollection* collection, OrthancPluginWebDavRetrieveFile retrieve, uint64_t size,
                     const char* mime, const char* date)
{
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, map_zeros);
  if (size <= ZEROS && zeros != MAP_FAILED)
  {
    return davfs_send(collection, retrieve, zeros, size, mime, date);
  }
  void* more = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (more == MAP_FAILED)
  {
    return OrthancPluginErrorCode_NotEnoughMemory;
  }
  int code = davfs_send(collection, retrieve, more, size, mime, date);
  munmap(more, size);
  return code;
}
