/* The files that were read last, so that reading one again needs no Python.

   A path leads to an instance for as long as the catalog does not change (docs/adr/0003): Python remembers what it found,
   and forgets everything whenever anything changes. Whether the instance still exists, and its bytes, come from Orthanc
   each time; where it has none, Python looks again. */

#include "davfs.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CAPACITY 4096 /* files, each in the one place that its path's hash gives */

typedef struct
{
  uint64_t generation;
  char* path; /* segments joined by '/' */
  char id[48];
  char date[16];
} recent_file;

static recent_file files[CAPACITY];
static uint64_t generation = 1;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

/* Compares segments with a joined path. */
static int is_path(const char* joined, uint32_t depth, const char* const* path)
{
  for (uint32_t i = 0; i < depth; i++)
  {
    size_t length = strlen(path[i]);
    if (strncmp(joined, path[i], length) != 0 || joined[length] != (i + 1 < depth ? '/' : '\0'))
    {
      return 0;
    }
    joined += length + 1;
  }
  return depth > 0;
}

/* FNV-1a */
static recent_file* place(uint32_t depth, const char* const* path)
{
  uint64_t hash = 14695981039346656037u;
  for (uint32_t i = 0; i < depth; i++)
  {
    for (const char* c = path[i]; *c != '\0'; c++)
    {
      hash = (hash ^ (unsigned char) *c) * 1099511628211u;
    }
    hash = (hash ^ '/') * 1099511628211u;
  }
  return &files[hash % CAPACITY];
}

static char* join(uint32_t depth, const char* const* path)
{
  size_t size = 1;
  for (uint32_t i = 0; i < depth; i++)
  {
    size += strlen(path[i]) + 1;
  }
  char* joined = malloc(size);
  char* end = joined;
  for (uint32_t i = 0; joined != NULL && i < depth; i++)
  {
    end += sprintf(end, i == 0 ? "%s" : "/%s", path[i]);
  }
  return joined;
}

uint64_t davfs_recent_generation(void)
{
  pthread_mutex_lock(&mutex);
  uint64_t now = generation;
  pthread_mutex_unlock(&mutex);
  return now;
}

void davfs_forget_recent(void)
{
  pthread_mutex_lock(&mutex);
  generation++;
  pthread_mutex_unlock(&mutex);
}

void davfs_remember_recent(uint64_t since, uint32_t depth, const char* const* path, const char* id, const char* date)
{
  recent_file* file = place(depth, path);
  char* joined = join(depth, path);
  pthread_mutex_lock(&mutex);
  if (since == generation && joined != NULL)
  {
    char* old = file->path;
    file->path = joined;
    joined = old;
    file->generation = since;
    snprintf(file->id, sizeof(file->id), "%s", id);
    snprintf(file->date, sizeof(file->date), "%s", date);
  }
  pthread_mutex_unlock(&mutex);
  free(joined);
}

static int find(uint32_t depth, const char* const* path, char* id, char* date)
{
  recent_file* file = place(depth, path);
  pthread_mutex_lock(&mutex);
  int found = file->generation == generation && file->path != NULL && is_path(file->path, depth, path);
  if (found)
  {
    memcpy(id, file->id, sizeof(file->id));
    memcpy(date, file->date, sizeof(file->date));
  }
  pthread_mutex_unlock(&mutex);
  return found;
}

int davfs_send_recent(uint32_t depth, const char* const* path, OrthancPluginWebDavCollection* collection,
                      OrthancPluginWebDavRetrieveFile retrieve)
{
  char id[sizeof(files->id)], date[sizeof(files->date)];
  OrthancPluginMemoryBuffer file;
  if (!find(depth, path, id, date) || OrthancPluginGetDicomForInstance(davfs_context, &file, id) != 0)
  {
    return -1;
  }
  davfs_request request = davfs_take_request();
  davfs_audit(request.user, "read", id, "done");
  OrthancPluginErrorCode code = davfs_send(collection, retrieve, file.data, file.size, "application/dicom", date);
  OrthancPluginFreeMemoryBuffer(davfs_context, &file);
  return code;
}
